"""A network that lets no gradient through is left to attacks that need none, and stops no other row."""

from __future__ import annotations

import io

import torch
from audit_parts import BRIEF, untrained
from rich.console import Console
from torch import Tensor, nn

import advkd
from advkd.auditing.selftest import shipped
from advkd.auditing.tables import verdict_table
from advkd.auditing.verdict import Verdict
from advkd.data.digits import Digits
from advkd.types import Threat

PGD = {"pgd": BRIEF["evaluators"]["pgd"]}


class Cut(nn.Module):
    """Answers as `net` does, and cuts the graph."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x).detach()


def judged(net: nn.Module, teacher: nn.Module, images, out=None, **evaluators) -> Verdict:
    options = {"evaluators": evaluators, "curves": {"images": 0}}
    return advkd.audit(net, images, Threat(eps=0.2), nets={"teacher": teacher}, out=out, **options)


def test_a_blind_network_is_an_upper_bound_and_its_teacher_is_judged(robust, digits, tmp_path):
    verdict = judged(Cut(robust), untrained(10), digits, tmp_path / "out", **PGD)
    (row,) = (line for line in (tmp_path / "out/report.md").read_text().splitlines() if "| pgd |" in line)
    assert row.startswith("| pgd | - | ")
    assert "pgd" not in verdict.main.entries
    assert verdict.rows["teacher"].entries["pgd"].done
    assert not verdict.complete
    assert not verdict.about["complete"]
    assert verdict.about["teacher"]["complete"]
    assert "robust" not in verdict.agreement
    assert "the budget" not in " ".join(verdict.not_tried)
    text = io.StringIO()
    verdict_table(Console(file=text, width=200), verdict)
    (worst,) = (line for line in text.getvalue().splitlines() if "worst case" in line)
    assert worst.count("<=") == 1
    assert judged(Cut(robust), untrained(10), digits, noise="noise").complete


def test_a_blind_teacher_is_no_source_and_stops_nothing(robust, digits):
    more = {"transfer": "transfer", "kl-teacher": {"use": "kl-teacher", "steps": 2}}
    verdict = judged(robust, Cut(untrained(10)), digits, **PGD, **more)
    assert {"pgd", "kl-teacher"} <= verdict.main.entries.keys()
    assert "transfer" not in verdict.main.entries
    assert "transfer on the model: no gradient reaches the image in teacher" in verdict.not_tried
    assert "pgd on the teacher: no gradient reaches the image" in verdict.not_tried
    assert verdict.complete
    assert not verdict.rows["teacher"].complete


def test_of_a_suite_a_blind_network_is_told_what_can_be_run(robust, digits):
    verdict = judged(Cut(robust), untrained(10), digits, toolbox="art:AutoAttack", noise="noise")
    (said,) = (what for what in verdict.not_tried if what.startswith("toolbox on the model"))
    assert "attacks without gradients can be run by themselves" in said


class Half(nn.Module):
    """Lets no gradient through for images it takes for one of the last five classes."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        logits = self.net(x)
        return torch.where(logits.argmax(1, keepdim=True) >= 5, logits.detach() + 0 * x.sum(), logits)


def test_images_sorted_by_class_hide_no_class_from_the_probes():
    images = Digits().open("test")
    images = images.subset(images.y.argsort(stable=True))
    options = {"evaluators": {"noise": "noise"}, "curves": {"images": 0}}
    verdict = advkd.audit(Half(shipped("robust").net), images, Threat(eps=0.2), **options)
    assert "zero-gradient" in [flag.name for flag in verdict.flags]
