"""Every flag is raised by its fault and by nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

import advkd
from advkd.auditing import curves, doubt, probe, selftest
from advkd.auditing.curves import ONE_STEP, Point
from advkd.auditing.doubt import black_box_better
from advkd.auditing.ledger import LedgerEntry
from advkd.auditing.probe import Probe
from advkd.errors import AdvkdError
from advkd.outcome import Outcome
from advkd.types import Batch, Threat

CHECKS = {
    "zero gradient": (probe, "zero_gradient"),
    "softmax output": (probe, "probabilities"),
    "random forward": (probe, "random_forward"),
    "input quantiser": (probe, "non_differentiable"),
    "straight-through quantiser": (probe, "non_differentiable"),
    "train-mode BatchNorm": (probe, "train_mode"),
    "wrong normalisation": (doubt, "below_record"),
    "masking clamp": (doubt, "black_box_better"),
}


@pytest.mark.parametrize("name", list(selftest.FAULTS))
def test_a_planted_fault_is_seen_and_an_honest_network_is_not_accused(name):
    (row,) = selftest.run((name,))
    assert row.as_expected, row.flags
    if name == "honest":
        assert row.flags == []
        assert 0.5 < row.verdict.robust < row.verdict.clean


@pytest.mark.parametrize("name", list(CHECKS))
def test_without_its_check_a_fault_is_not_seen(name, monkeypatch):
    module, check = CHECKS[name]
    monkeypatch.setattr(module, check, lambda *args: None)
    (row,) = selftest.run((name,))
    assert not row.as_expected


def test_masking_shows_in_the_attacks_too():
    (row,) = selftest.run(("zero gradient",))
    assert {"loss-flat", "any-image", "black-box-better"} <= set(row.flags)
    (row,) = selftest.run(("masking clamp",))
    assert {"one-step-better", "loss-flat"} <= set(row.flags)


def entry(broken: int, n: int = 100, **rest) -> LedgerEntry:
    right = torch.arange(n) >= broken
    return LedgerEntry(torch.ones(n, dtype=torch.bool), right, torch.zeros(n), **rest)


def names_of(points: list[Point]) -> list[str]:
    return [flag.name for flag in doubt.attack_flags(points, {}, {}, 0.1)]


@pytest.mark.parametrize(("few", "many", "flagged"), [(40, 50, True), (40, 41, False), (50, 40, False)])
def test_steps_that_still_change_the_result(few, many, flagged):
    points = [Point("steps", 20, entry(few)), Point("steps", 40, entry(many))]
    assert names_of(points) == ["not-converged"] * flagged
    assert names_of(points[:1]) == []


@pytest.mark.parametrize(("single", "many", "flagged"), [(50, 40, True), (41, 40, False), (30, 40, False)])
def test_one_step_that_beats_many(single, many, flagged):
    points = [Point(ONE_STEP, 1, entry(single)), Point("steps", 20, entry(many))]
    assert names_of(points) == ["one-step-better"] * flagged


@pytest.mark.parametrize(
    ("clean", "broken", "flagged"), [(0, 80, True), (0, 96, True), (0, 98, False), (90, 90, False)]
)
def test_images_that_stand_where_anything_may_be_drawn(clean, broken, flagged):
    points = [Point("eps", 0.0, entry(clean)), Point("eps", 0.1, entry(95)), Point("eps", 1.0, entry(broken))]
    assert names_of(points) == ["any-image"] * flagged


@dataclass(frozen=True, kw_only=True)
class LastIterate:
    """Finds an error and returns where it began."""

    kind: ClassVar[str] = "fixed-budget"
    knowledge: ClassVar[str] = "white-box"

    def passes(self, classes: int):
        """One."""
        return 1, 0

    def __call__(self, net, batch, threat, generator):
        x = batch.x.clone().requires_grad_()
        with torch.enable_grad():
            loss = nn.functional.cross_entropy(net(x), batch.y, reduction="sum")
        with torch.no_grad():
            net(threat.project(batch.x + threat.eps * torch.autograd.grad(loss, x)[0].sign(), batch.x))
        return Outcome(batch.x)


def test_an_attack_that_does_not_return_its_best(robust, digits, threat):
    advkd.register("evaluators", "last-iterate")(LastIterate)
    verdict = advkd.audit(robust, digits, threat, evaluators={"it": "last-iterate"}, curves={"images": 0})
    assert [flag.name for flag in verdict.flags] == ["best-not-returned"]
    assert verdict.main.entries["it"].silent > 5


def test_layers_given_in_train_mode_are_flagged_and_judged_in_eval_mode(robust, digits, threat):
    quiet = {"evaluators": {"fgsm": "fgsm"}, "curves": {"images": 0}}
    given = advkd.audit(robust, digits, threat, **quiet)
    robust.train()
    trained = advkd.audit(robust, digits, threat, **quiet)
    assert "train-mode" in [flag.name for flag in trained.flags]
    assert torch.equal(given.main.survivors, trained.main.survivors)
    assert robust.training


def probed(net: nn.Module, clean: float, **rest) -> Probe:
    x = torch.rand(4, 1, 8, 8)
    batch = Batch(x, net(x).argmax(1))
    known = {"clean": clean, "chance": 0.1, "n": 500, "size": len(x)}
    return Probe(net=net, batch=batch, threat=Threat(eps=0.1), **known, **rest)


@pytest.mark.parametrize(
    ("clean", "record", "flagged"), [(0.8, 0.95, True), (0.93, 0.95, False), (0.15, None, True)]
)
def test_clean_accuracy_against_the_record(clean, record, flagged, robust):
    known = {} if record is None else {"clean": record}
    found = [flag.name for flag in doubt.network_flags(probed(robust, clean, record=known))]
    assert ("below-record" in found) == flagged


def test_a_network_that_cuts_the_graph_is_judged_by_what_needs_none(robust, digits, threat):
    class Cut(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = robust

        def forward(self, x):
            return self.net(x.detach()).detach()

    verdict = advkd.audit(Cut(), digits, threat, suite="quick")
    assert "zero-gradient" in [flag.name for flag in verdict.flags]
    assert any("pgd-20 on the model: no gradient reaches the image" in what for what in verdict.not_tried)
    assert "noise" in verdict.main.entries


class Large(nn.Module):
    """As a network on a full accelerator: no gradient for more than 16 images at once."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        if x.requires_grad and len(x) > 16:
            raise torch.OutOfMemoryError("out of memory")
        return self.net(x)


def test_probes_ask_no_more_images_than_a_batch(robust, digits, threat):
    brief = {"evaluators": {"pgd": {"use": "pgd", "steps": 5}}, "curves": {"images": 0}}
    verdict = advkd.audit(Large(robust), digits, threat, batch_size=16, **brief)
    plain = advkd.audit(robust, digits, threat, batch_size=16, **brief)
    assert torch.equal(verdict.main.survivors, plain.main.survivors)
    assert not verdict.flags
    with pytest.raises(AdvkdError, match="fails when its gradient is asked for: OutOfMemoryError"):
        advkd.audit(Large(robust), digits, threat, batch_size=64, **brief)


@dataclass(frozen=True)
class Suite:
    """Breaks what `broken` says; a suite of attacks if `mixed`."""

    knowledge: str
    mixed: bool = False


def test_a_suite_with_a_black_box_attack_hides_no_masking():
    everything = torch.ones(100, dtype=torch.bool)
    broken = torch.arange(100) < 30

    def entry(right: Tensor) -> LedgerEntry:
        return LedgerEntry(everything, right, torch.full((100,), torch.nan), done=True)

    entries = {"pgd": entry(everything), "square": entry(~broken), "official": entry(~broken)}
    suite = {"pgd": Suite("white-box"), "square": Suite("black-box"), "official": Suite("white-box", True)}
    assert black_box_better(entries, suite).evidence.startswith("square breaks 30 of 100")
    suite["official"] = Suite("white-box")
    assert black_box_better(entries, suite) is None


def test_curves_run_pgd_on_the_margin_with_the_steps_and_restarts_they_name(
    robust, digits, threat, monkeypatch
):
    asked, right = [], curves.load

    def loaded(slot, name):
        kind = right(slot, name)
        return kind if name != "pgd" else lambda **options: asked.append(options) or kind(**options)

    monkeypatch.setattr(curves, "load", loaded)
    how = {"images": 10, "eps": [1.0], "steps": [3, 7], "restarts": [1, 4]}
    verdict = advkd.audit(robust, digits, threat, evaluators={"fgsm": "fgsm"}, curves=how)
    over_eps = [point for point in verdict.points if point.axis == "eps"]
    assert [(one["steps"], one["restarts"]) for one in asked] == [
        *[(curves.STEPS, 1)] * len(over_eps),
        (3, 1),
        (7, 1),
        (curves.STEPS, 1),
        (curves.STEPS, 4),
    ]
    assert {one["loss"] for one in asked} == {"margin"}
