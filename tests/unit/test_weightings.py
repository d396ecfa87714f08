"""Weightings against their formulas, on answers chosen by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from advkd.config.build import member
from advkd.protocols import points_of
from advkd.step import Step
from advkd.streams import streams
from advkd.types import Path, Threat
from advkd.view import View

T, B, N = 5, 3, 4


class Says(nn.Module):
    """Answers with logits chosen per point and sample; the pixel holds their number."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.table = logits.flatten(0, 1)
        self.asked: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        rows = (x[:, 0, 0, 0] * 100).round().long()
        self.asked += rows.tolist()
        return self.table[rows]


def logits(seed: int) -> Tensor:
    return 2 * torch.randn(T, B, N, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


Y, GOAL = torch.tensor([0, 1, 3]), torch.tensor([2, 0, 1])
STUDENT, TEACHER = logits(1), logits(2)
P = {"student": STUDENT.softmax(2), "teacher": TEACHER.softmax(2)}


def seen(goal: bool = False, progress: float = 0.5) -> tuple[View, Step]:
    x = (torch.arange(T * B, dtype=torch.float64) / 100).view(T, B, 1, 1, 1)
    nets = {"student": Says(STUDENT), "teacher": Says(TEACHER)}
    step = Step(nets=nets, threat=Threat(eps=0.1), streams=streams(0), progress=progress)
    return View(Path(x, Y, GOAL if goal else None), step), step


def weights(name: str, *, goal: bool = False, progress: float = 0.5, **options) -> Tensor:
    view, step = seen(goal, progress)
    return member("weightings", {"use": name, **options}, "w")[0](view, step)


def own(net: str) -> Tensor:
    return P[net][:, torch.arange(B), Y]


def margin(net: str, goal: bool = False) -> Tensor:
    if goal:
        return own(net) - P[net][:, torch.arange(B), GOAL]
    rest = P[net].clone()
    rest[:, torch.arange(B), Y] = -1
    return own(net) - rest.max(2).values


def column(values: list[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)[:, None].expand(T, B)


def test_positions():
    assert_close(weights("uniform"), column([1] * 5))
    assert_close(weights("start"), column([1, 0, 0, 0, 0]))
    assert_close(weights("end"), column([0, 0, 0, 0, 1]))
    assert_close(weights("ends"), column([1, 0, 0, 0, 1]))
    assert_close(weights("linear"), column([0, 0.25, 0.5, 0.75, 1]))
    assert_close(weights("linear", power=2), column([0, 0.0625, 0.25, 0.5625, 1]))
    bell = [math.exp(-((k / 4 - 0.5) ** 2) / (2 * 0.3**2)) for k in range(5)]
    assert_close(weights("gaussian-step", centre=0.5, width=0.3), column(bell))


@pytest.mark.parametrize("goal", [False, True])
@pytest.mark.parametrize("net", ["student", "teacher"])
def test_boundary(net, goal):
    wanted = torch.exp(-margin(net, goal).abs() / 0.3)
    assert_close(weights("boundary", goal=goal, net=net, kappa=0.3), wanted)


def test_boundary_of_large_kappa_is_uniform():
    assert_close(weights("boundary", kappa=1e9), column([1] * 5))


@pytest.mark.parametrize("net", ["student", "teacher"])
def test_margin_sigmoid(net):
    wanted = 1 / (1 + torch.exp(3 * (margin(net) + 0.2)))
    assert_close(weights("margin-sigmoid", net=net, slope=3, bias=0.2), wanted)


@pytest.mark.parametrize("net", ["student", "teacher"])
def test_impact(net):
    drop = own(net)[:1] - own(net)
    assert_close(weights("impact", net=net), drop.clamp(min=0))
    gain = P[net][:, torch.arange(B), GOAL]
    assert_close(weights("impact", net=net, goal=True), (gain - gain[:1]).clamp(min=0))


@pytest.mark.parametrize("net", ["student", "teacher"])
def test_crossing(net):
    table = P[net].argmax(2)
    wanted = torch.empty(T, B, dtype=torch.float64)
    for i in range(B):
        wrong = [k for k in range(1, T) if table[k, i] != Y[i]]
        first = wrong[0] if wrong else T
        for k in range(T):
            wanted[k, i] = math.exp(-abs(k - first) / 2)
    assert_close(weights("crossing", net=net, sigma=2), wanted)
    factors = {"left": {"use": "crossing", "net": net, "sigma": 2}, "right": "end"}
    end = member("weightings", {"use": "product", **factors}, "w")[0]
    view, step = seen(False, 0.5)
    assert_close(end(view.only(points_of(end, T)), step)[-1], wanted[-1])


@pytest.mark.parametrize(("at", "power"), [("here", 1), ("start", 1), ("here", -1), ("start", 0.5)])
def test_divergence(at, power):
    aim = P["teacher"] if at == "here" else P["teacher"][:1].expand(T, -1, -1)
    kl = (aim * (aim.log() - P["student"].log())).sum(2)
    assert_close(weights("divergence", at=at, power=power), kl**power)


def test_divergence_reads_either_network():
    aim = P["student"]
    kl = (aim * (aim.log() - P["teacher"].log())).sum(2)
    assert_close(weights("divergence", net="teacher", at="here"), kl)


@pytest.mark.parametrize("net", ["student", "teacher"])
def test_entropy(net):
    h = -(P[net] * P[net].log()).sum(2)
    assert_close(weights("entropy", net=net), h / math.log(N))
    assert_close(weights("entropy", net=net, kappa=0.7), h / (h + 0.7))
    assert_close(weights("entropy", net=net, favour="low"), 1 - h / math.log(N))


@pytest.mark.parametrize("net", ["student", "teacher"])
def test_trust_and_distrust(net):
    assert_close(weights("teacher-trust", net=net, beta=0.4), own(net) ** 0.4)
    assert_close(weights("teacher-distrust", net=net, beta=0.4), 1 - own(net) ** 0.4)


def test_trust_is_full_before_it_starts():
    assert_close(weights("teacher-trust", since=0.6), column([1] * 5))
    assert_close(weights("teacher-distrust", since=0.6), column([0] * 5))


def test_product_multiplies():
    wanted = torch.exp(-margin("student").abs() / 0.25) * own("teacher") ** 0.1
    assert_close(weights("product", left="boundary", right="teacher-trust"), wanted)


def test_product_asks_only_where_both_can_be():
    view, step = seen()
    product = member("weightings", {"use": "product", "left": "end", "right": "teacher-trust"}, "w")[0]
    assert product.points(T) == (T - 1,)
    found = product(view, step)
    assert_close(found[-1], own("teacher")[-1] ** 0.1)
    assert not found[:-1].any()
    assert step.nets["teacher"].asked == [12, 13, 14]
    assert step.nets["student"].asked == []


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("boundary", {"kappa": 0}),
        ("crossing", {"sigma": -1}),
        ("entropy", {"kappa": 0}),
        ("gaussian-step", {"width": 0}),
        ("linear", {"power": -1}),
        ("teacher-trust", {"beta": -0.1}),
        ("teacher-distrust", {"since": 1}),
    ],
)
def test_options_out_of_range_are_refused(name, options):
    from advkd import AdvkdError

    with pytest.raises(AdvkdError, match=rf"w\.{next(iter(options))}"):
        weights(name, **options)
