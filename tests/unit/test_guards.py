"""What members hand back is checked where it is used: a wrong shape is an error, never another number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch.nn import functional as F

import advkd
from advkd import registry
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
def own_members(monkeypatch):
    monkeypatch.setattr(registry, "_registered", {})
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
        ("elsewhere", "an attack begins with the images as they are"),
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
        ("detached", "a loss must lead back to the logits"),
    ],
)
def test_a_loss_of_another_form_is_refused(student, teacher, batch, threat, how, says):
    terms = {"robust": {"loss": {"use": "spoilt", "how": how}}}
    with pytest.raises(advkd.AdvkdError, match=says):
        loss_of(student, teacher, batch, threat, terms=terms)


def test_members_that_keep_to_it_are_not(student, teacher, batch, threat):
    whole = {"use": "spoilt", "how": "whole"}
    found = loss_of(student, teacher, batch, threat, attack=whole, terms={"robust": {"loss": whole}})
    assert torch.isfinite(found)


def test_a_run_refuses_them_too(tiny, tmp_path):
    run = advkd.resolve(*tiny, "preset=pgd-at", "method.branches.untargeted.attack={use: spoilt, how: far}")
    with pytest.raises(advkd.AdvkdError, match="path untargeted, epoch 1, step 1: a path left the threat"):
        advkd.train(run, out=tmp_path / "run")


def test_a_run_refuses_a_box_that_leaves_out_pixels(tiny, tmp_path):
    run = advkd.resolve(*tiny, "preset=pgd-at", "threat.box=[0.2,0.8]")
    with pytest.raises(advkd.AdvkdError, match=r"threat\.box: leaves out pixels of the images"):
        advkd.train(run, out=tmp_path / "run")


def test_a_first_loss_that_is_not_finite_is_no_matter_of_the_rate(tiny, tmp_path):
    term = "method.branches.untargeted.terms.robust"
    run = advkd.resolve(*tiny, "preset=rslad", f"{term}.loss={{use: spoilt, how: nan}}")
    with pytest.raises(advkd.AdvkdError, match=r"epoch 1, step 1: (?s:.*)a member is at fault"):
        advkd.train(run, out=tmp_path / "run")


def test_a_run_that_trains_nothing_is_an_error(tiny, tmp_path):
    @dataclass(frozen=True, kw_only=True)
    class Nothing:
        def __call__(self, walk, batch, step):
            return None

    advkd.register("path", "nothing")(Nothing)
    run = advkd.resolve(*tiny, "preset=pgd-at", "method.branches.untargeted.path=nothing")
    with pytest.raises(advkd.AdvkdError, match="epoch 1: every branch was skipped at every step"):
        advkd.train(run, out=tmp_path / "run")


def test_an_attack_that_does_not_know_the_norm_is_refused_before_anything_is_trained(tiny, monkeypatch):
    monkeypatch.setattr(Spoilt, "norms", ("linf",), raising=False)
    words = ("preset=pgd-at", "method.branches.untargeted.attack={use: spoilt, how: whole}")
    with pytest.raises(advkd.AdvkdError, match="does not attack in l2"):
        advkd.resolve(*tiny, *words, "threat.norm=l2", "threat.eps=0.5")
    advkd.resolve(*tiny, *words)


def test_a_kind_nobody_knows_is_named(student, teacher, batch, threat, monkeypatch):
    monkeypatch.setattr(SpoiltLoss, "kind", "distill")
    with pytest.raises(advkd.AdvkdError, match="does not say what it is compared with"):
        loss_of(student, teacher, batch, threat, terms={"robust": {"loss": {"use": "spoilt"}}})
