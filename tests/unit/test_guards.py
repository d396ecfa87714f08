"""What members hand back is checked where it is used: a wrong shape is an error, never another number."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
import torch
from torch.nn import functional as F

import advkd
from advkd.attacks.pgd import PGD


@dataclass(frozen=True, kw_only=True)
class Spoilt(PGD):
    """PGD that does what its name says."""

    how: str = ""

    def __call__(self, objective, x, threat, generator):
        for k, point in enumerate(super().__call__(objective, x, threat, generator)):
            yield {
                "far": x + 0.9 * k / self.steps,
                "off-box": x - 2 * k,
                "elsewhere": (x + threat.eps / 2).clamp(0, 1),
                "coarse": point.half(),
                "numpy": point.numpy(),
                "flat": point.flatten(1) if k else point,
                "whole": point,
            }[self.how]


@dataclass(frozen=True, kw_only=True)
class SpoiltLoss:
    """KL that is handed back in another form."""

    how: str = ""
    kind: ClassVar[str] = "divergence"

    def __call__(self, logits, target):
        each = F.kl_div(logits.log_softmax(1), target.softmax(1), reduction="none").sum(1)
        return {
            "column": each[:, None],
            "mean": each.mean(),
            "detached": each.detach(),
            "nan": each / 0,
            "whole": each,
        }[self.how]


@pytest.fixture(autouse=True)
def own_members():
    advkd.register("attacks", "spoilt")(Spoilt)
    advkd.register("loss", "spoilt")(SpoiltLoss)


def loss_of(student, teacher, batch, threat, **branch):
    change = {"branches": {"untargeted": branch}}
    return advkd.loss_of(
        "rslad", student=student, teacher=teacher, x=batch.x, y=batch.y, threat=threat, method=change
    )[0]


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("far", "a path left the threat linf eps 0.1"),
        ("off-box", "a path left the threat linf eps 0.1"),
        (
            "elsewhere",
            r"an attack yields the images first, as they are\n  given    its first point is up to 0.05",
        ),
        ("coarse", r"images like those it begins with\n  given .*float16, images .*float64"),
        ("numpy", r"its points are tensors\n  given    ndarray"),
        ("flat", "its points must all have the shape of the images"),
    ],
)
def test_an_attack_that_cheats_is_refused(student, teacher, batch, threat, how, says):
    with pytest.raises(advkd.AdvkdError, match=says):
        loss_of(student, teacher, batch, threat, attack={"use": "spoilt", "how": how})


@pytest.mark.parametrize(
    ("how", "says"),
    [
        (
            "column",
            r"untargeted.robust.loss \(SpoiltLoss\): a loss gives one number a sample, .*\n.*\(6, 1\)",
        ),
        ("mean", r"one number a sample, shape \(B,\) = \(6,\)\n  given    \(\)"),
        ("detached", "a loss must have a gradient"),
    ],
)
def test_a_loss_of_another_form_is_refused(student, teacher, batch, threat, how, says):
    terms = {"robust": {"loss": {"use": "spoilt", "how": how}}}
    with pytest.raises(advkd.AdvkdError, match=says):
        loss_of(student, teacher, batch, threat, terms=terms)


PATHS = {
    "far": (lambda path: replace(path, x=path.x + 1), "begins at an image of the batch.*\n.*no such image"),
    "label": (
        lambda path: replace(path, y=path.y.roll(1)),
        "with its class\n  given    start 1, class 0: its image has another class",
    ),
    "fractions": (
        lambda path: replace(path, y=path.y.double()),
        "points and classes of the types of the batch",
    ),
    "coarse": (lambda path: replace(path, x=path.x.float()), "points and classes of the types of the batch"),
    "nothing": (lambda path: replace(path, x=path.x[:0]), "a path has a point and an image"),
    "nobody": (lambda path: replace(path, x=path.x[:, :0], y=path.y[:0]), "a path has a point and an image"),
    "tensor": (lambda path: path.x, "gives a Path, or None to skip the batch\n  given    Tensor"),
}


@pytest.mark.parametrize("how", PATHS)
def test_a_path_of_another_form_is_refused(student, teacher, batch, threat, how):
    change, says = PATHS[how]

    @dataclass(frozen=True, kw_only=True)
    class Sampler:
        goals: ClassVar[bool] = False

        def __call__(self, walk, batch, step):
            return change(walk(batch.x, batch.y))

    advkd.register("path", "spoilt")(Sampler)
    with pytest.raises(advkd.AdvkdError, match=says):
        loss_of(student, teacher, batch, threat, path="spoilt")


def test_part_of_a_batch_may_walk_in_any_order(student, teacher, batch, threat):
    @dataclass(frozen=True, kw_only=True)
    class Some:
        goals: ClassVar[bool] = False

        def __call__(self, walk, batch, step):
            return walk(batch.x[[3, 0, 3]], batch.y[[3, 0, 3]])

    advkd.register("path", "some")(Some)
    assert torch.isfinite(loss_of(student, teacher, batch, threat, path="some"))


def test_a_network_that_lets_no_gradient_through_is_said_to(teacher, batch, threat):
    class Rounded(torch.nn.Module):
        def __init__(self, net):
            super().__init__()
            self.net = net

        def forward(self, x):
            return self.net(x.detach())

    with pytest.raises(advkd.AdvkdError, match="no gradient of its objective reaches the images"):
        loss_of(Rounded(teacher).requires_grad_(True), teacher, batch, threat)


def test_members_that_keep_to_it_are_not(student, teacher, batch, threat):
    whole = {"use": "spoilt", "how": "whole"}
    found = loss_of(student, teacher, batch, threat, attack=whole, terms={"robust": {"loss": whole}})
    assert torch.isfinite(found)


def test_a_kind_nobody_knows_is_named(student, teacher, batch, threat, monkeypatch):
    monkeypatch.setattr(SpoiltLoss, "kind", "distill")
    with pytest.raises(advkd.AdvkdError, match="does not say what it is compared with"):
        loss_of(student, teacher, batch, threat, terms={"robust": {"loss": {"use": "spoilt"}}})


def test_an_attack_that_does_not_know_the_norm_is_refused_before_anything_is_trained(tiny, monkeypatch):
    monkeypatch.setattr(Spoilt, "norms", ("linf",), raising=False)
    words = ("preset=pgd-at", "method.branches.untargeted.attack={use: spoilt, how: whole}")
    with pytest.raises(advkd.AdvkdError, match="does not attack in l2"):
        advkd.resolve(*tiny, *words, "threat.norm=l2", "threat.eps=0.5")
    with pytest.raises(advkd.AdvkdError, match=r"(?s)^threat.norm: eps .* was set for linf.*threat.eps="):
        advkd.resolve(*tiny, "preset=pgd-at", "threat.norm=l2")
    advkd.resolve(*tiny, *words)


def test_a_run_refuses_them_too(tiny, tmp_path):
    run = advkd.resolve(*tiny, "preset=pgd-at", "method.branches.untargeted.attack={use: spoilt, how: far}")
    with pytest.raises(advkd.AdvkdError, match="path untargeted, epoch 1, step 1: a path left the threat"):
        advkd.train(run, out=tmp_path / "run")


def test_a_walk_that_leaves_the_threat_later_is_seen_too(tiny, tmp_path):
    walks = []

    @dataclass(frozen=True, kw_only=True)
    class Late(PGD):
        def __call__(self, objective, x, threat, generator):
            walks.append(1)
            yield from list(super().__call__(objective, x, threat, generator))[:-1]
            yield x if len(walks) < 4 else 1 - x

    advkd.register("attacks", "late")(Late)
    run = advkd.resolve(*tiny, "preset=pgd-at", "method.branches.untargeted.attack=late")
    with pytest.raises(advkd.AdvkdError, match="path untargeted, epoch 1, step 4: a path left the threat"):
        advkd.train(run, out=tmp_path / "run")


def test_a_first_loss_that_is_not_finite_is_no_matter_of_the_rate(tiny, tmp_path):
    term = "method.branches.untargeted.terms.robust"
    run = advkd.resolve(*tiny, "preset=rslad", f"{term}.loss={{use: spoilt, how: nan}}")
    with pytest.raises(advkd.AdvkdError, match=r"epoch 1, step 1: (?s:.*)a member is at fault"):
        advkd.train(run, out=tmp_path / "run")
