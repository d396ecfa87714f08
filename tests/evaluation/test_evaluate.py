"""Evaluation: outcomes confirmed, combined per example, and worth their names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from parts import small_net, undecided
from torch import Tensor, nn
from torch.utils.data import TensorDataset

import advkd
from advkd.evaluators.gradient import CWLinf, FGSMEvaluator, PGDEvaluator
from advkd.networks.modes import batch_norms
from advkd.outcome import Outcome
from advkd.result import Result, wilson
from advkd.types import Threat


@pytest.fixture
def net() -> nn.Module:
    return small_net(6, seed=4).float().train()


@pytest.fixture
def data(net) -> TensorDataset:
    x = torch.rand(60, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    undecided(net, x)
    with torch.no_grad():
        y = net.eval()(x).argmax(1)
    net.train()
    y[:6] = (y[:6] + 1) % 5
    return TensorDataset(x, y)


SUITE = {"fgsm": FGSMEvaluator(), "pgd": PGDEvaluator(steps=10, restarts=2), "cw-linf": CWLinf(steps=10)}


def test_worst_case_is_per_example(net, data):
    result = advkd.evaluate(net, data, Threat(eps=0.05), SUITE, batch_size=16)
    rows = torch.stack(list(result.right.values()))
    assert result.n == 60
    assert result.clean == pytest.approx(0.9)
    assert set(result.attacks) == set(SUITE)
    assert result.robust == rows.all(0).double().mean().item()
    assert result.robust <= min(result.attacks.values()) <= result.clean
    assert 0 < result.robust < result.clean
    right = {"clean": result.right["clean"], "robust": rows.all(0)}
    assert result.interval == {name: wilson(int(bits.sum()), 60) for name, bits in right.items()}


def test_the_network_is_left_as_found(net, data):
    net[1].eval()
    flags = [m.training for m in net.modules()]
    before = {k: v.clone() for k, v in net.state_dict().items()}
    random = torch.get_rng_state()
    advkd.evaluate(net, data, Threat(eps=0.05), SUITE)
    assert [m.training for m in net.modules()] == flags
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())
    assert torch.equal(random, torch.get_rng_state())
    assert batch_norms(net)


class Counting(nn.Module):
    """Counts what it is asked in a buffer, in eval mode too."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("asked", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.asked += len(x)
        return self.net(x)


def test_buffers_that_move_in_eval_mode_are_put_back(net, data):
    counting, teacher = Counting(net), Counting(small_net(6, seed=5).float())
    advkd.evaluate(counting, data, Threat(eps=0.05), SUITE)
    assert counting.asked == 0
    brief = {"evaluators": {"pgd": {"use": "pgd", "steps": 2}, "transfer": "transfer"}}
    advkd.audit(counting, data, Threat(eps=0.05), nets={"teacher": teacher}, curves={"images": 0}, **brief)
    assert counting.asked == teacher.asked == 0


class Adapting(nn.Module):
    """Follows the mean of what it is asked, in eval mode too."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("mean", torch.full((), 0.5))

    def forward(self, x: Tensor) -> Tensor:
        self.mean.lerp_(x.detach().mean(), 0.5)
        return self.net(x - 3 * (self.mean - 0.5))


def test_no_attack_changes_what_clean_images_and_other_attacks_meet(net, data):
    def right(*names):
        attacks = {name: SUITE[name] for name in names}
        found = advkd.evaluate(Adapting(net), data, Threat(eps=0.05), attacks, batch_size=10).right
        return {name: bits.tolist() for name, bits in found.items()}

    none, fgsm, pgd, both = right(), right("fgsm"), right("pgd"), right("pgd", "fgsm")
    assert none["clean"] == fgsm["clean"] == pgd["clean"] == both["clean"]
    assert both == none | fgsm | pgd


class Pair(nn.Module):
    """Answers with logits and features."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.flatten(1)[:, :5], x


def test_what_does_not_answer_with_a_row_of_logits_is_refused(data):
    with pytest.raises(advkd.AdvkdError, match=r"does not answer with logits \(B,N\)\n.*\(1, 5, 1, 1\)"):
        advkd.evaluate(nn.Conv2d(1, 5, 6), data, Threat(eps=0.05), {})
    with pytest.raises(advkd.AdvkdError, match=r"(?s)model: .*tuple"):
        advkd.evaluate(Pair(), data, Threat(eps=0.05), {})


def test_a_box_that_holds_the_images_to_the_last_bit_is_taken(net, data):
    x, y = data.tensors
    for box in ((0.2, 0.8), (0.1, 0.6), (0.7, 0.9)):
        inside = TensorDataset(x.clamp(*(torch.tensor(box).tolist())), y)
        assert advkd.evaluate(net, inside, Threat(eps=0.05, box=box), SUITE).n == 60


def test_evaluation_is_in_eval_mode(net, data):
    trained = advkd.evaluate(net, data, Threat(eps=0.05), SUITE)
    assert (
        trained.right["pgd"].tolist()
        == advkd.evaluate(net.eval(), data, Threat(eps=0.05), SUITE).right["pgd"].tolist()
    )


def test_same_seed_same_outcome(net, data):
    one, two = (advkd.evaluate(net, data, Threat(eps=0.05), SUITE, seed=3) for _ in range(2))
    assert all(torch.equal(one.right[k], two.right[k]) for k in one.right)


def test_eps_zero_is_clean_and_large_eps_breaks_everything(net, data):
    none = advkd.evaluate(net, data, Threat(eps=0.0), SUITE)
    assert none.robust == none.clean
    everything = {"pgd": PGDEvaluator(steps=40, restarts=3), "cw-linf": CWLinf(steps=40)}
    assert advkd.evaluate(net, data, Threat(eps=1.0), everything).robust < 0.1


def test_more_restarts_are_never_weaker(net, data):
    attack = {n: PGDEvaluator(steps=3, restarts=n) for n in (1, 4)}
    few, many = (advkd.evaluate(net, data, Threat(eps=0.04), {"pgd": attack[n]}) for n in (1, 4))
    assert (few.right["pgd"] | ~many.right["pgd"]).all()


@dataclass(frozen=True)
class Cheat:
    """Steps out of the ball, or out of the box, or returns what is no number."""

    shift: float

    def __call__(self, net, batch, threat, generator):
        return Outcome(batch.x + self.shift)


@pytest.mark.parametrize("shift", [0.3, 0.06, float("nan")])
def test_an_attack_that_leaves_the_threat_is_refused(shift, net, data):
    with pytest.raises(advkd.AdvkdError, match=r"evaluation.cheat: the attack left the threat linf eps 0.05"):
        advkd.evaluate(net, data, Threat(eps=0.05), {"cheat": Cheat(shift)})


NARROW = Threat(eps=0.05, box=(0.2, 0.8))


@pytest.mark.parametrize(
    "door",
    [
        lambda net, data: advkd.evaluate(net, data, NARROW, SUITE),
        lambda net, data: advkd.audit(net, data, NARROW, suite="quick"),
        lambda net, data: advkd.loss_of(
            "pgd-at", student=net, x=data.tensors[0], y=data.tensors[1], threat=NARROW
        ),
    ],
    ids=["evaluate", "audit", "loss_of"],
)
def test_a_box_that_leaves_out_pixels_is_no_fault_of_an_attack(door, net, data):
    with pytest.raises(advkd.AdvkdError, match=r"threat.box: leaves out .*\n.*box 0.2 to 0.8, pixels .* to "):
        door(net, data)


def test_a_box_of_bytes_is_refused_for_images_that_lie_between_0_and_1(net, data):
    with pytest.raises(
        advkd.AdvkdError, match=r"(?s)^threat.box: exceeds the pixel range.*given    0 to 255"
    ):
        advkd.evaluate(net, data, Threat(eps=8.0, box=(0, 255)), SUITE)


def test_bytes_handed_to_loss_of_are_told_as_such(net, data):
    x, y = data.tensors
    with pytest.raises(advkd.AdvkdError, match=r"box 0 to 1, pixels .* to 25\d.*\n.*divided by 255"):
        advkd.loss_of("pgd-at", student=net, x=(255 * x).round(), y=y, threat=Threat(eps=0.05))


def test_a_result_of_nothing_but_clean():
    result = Result(right={"clean": torch.tensor([True, False])})
    assert (result.clean, result.robust, result.attacks) == (0.5, 0.5, {})


def test_two_classes_work():
    net = small_net(4, classes=2, seed=5).float()
    x = torch.rand(20, 1, 6, 6)
    data = TensorDataset(x, torch.arange(20) % 2)
    result = advkd.evaluate(net, data, Threat(eps=0.1), SUITE)
    assert set(result.right) == {"clean", *SUITE}


def test_l2_threat(net, data):
    result = advkd.evaluate(net, data, Threat(norm="l2", eps=0.3), SUITE)
    assert result.robust < result.clean


def test_numpy_is_not_touched(net, data):
    np.random.seed(5)
    before = np.random.get_state()[1].copy()
    advkd.evaluate(net, data, Threat(eps=0.05), SUITE)
    assert (np.random.get_state()[1] == before).all()
