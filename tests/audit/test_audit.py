"""Verdicts: right where the truth is known, worst case example by example, complete or labelled."""

from __future__ import annotations

import json

import pytest
import torch
from audit_parts import BRIEF, Linear, untrained

import advkd
from advkd.auditing.case import planned
from advkd.auditing.ledger import LedgerEntry
from advkd.auditing.scope import left_out
from advkd.auditing.verdict import Standing
from advkd.data.images import Images
from advkd.registry import entries, load
from advkd.result import wilson
from advkd.types import Batch, Threat


def linear_case(norm: str, eps: float):
    """Images in the middle of the box, where only the ball binds, and which of them no attack can break."""
    net = Linear()
    x = 0.5 + 0.1 * torch.randn(200, 1, 4, 4, generator=torch.Generator().manual_seed(2)).clamp(-2, 2)
    y = net(x).argmax(1)
    y[:10] = (y[:10] + 1) % 4
    logits = net(x).detach()
    apart = (net.weight[y][:, None] - net.weight[None]).detach()
    reach = eps * (apart.abs().sum(2) if norm == "linf" else apart.norm(dim=2))
    lead = logits.gather(1, y[:, None]) - logits - reach
    lead.scatter_(1, y[:, None], torch.inf)
    # what lies on the edge could fall to either side by rounding
    clear = lead.abs().amin(1) > 1e-3
    return net, Images(x[clear], y[clear]), (lead.amin(1) > 0)[clear]


@pytest.mark.parametrize(("norm", "eps"), [("linf", 0.015), ("l2", 0.06)])
@pytest.mark.parametrize("cascade", [True, False])
def test_a_linear_model_meets_its_closed_form(norm, eps, cascade):
    net, images, stands = linear_case(norm, eps)
    evaluators = {
        "cw-linf": {"use": "cw-linf", "steps": 100, "restarts": 3},
        "apgd-t": {"use": "apgd-t", "targets": 3},
    }
    options = {"evaluators": evaluators, "curves": {"images": 0}, "cascade": cascade}
    verdict = advkd.audit(net, images, Threat(norm=norm, eps=eps), **options)
    assert 0.2 < stands.double().mean() < 0.9
    assert torch.equal(verdict.main.survivors, stands)
    fallen = [verdict.main.about["details"][name]["broken"] for name in evaluators]
    right = int(verdict.main.entries["clean"].right.sum())
    assert right < len(stands)
    assert (sum if cascade else max)(fallen) == right - int(stands.sum())


def test_worst_case_is_never_above_any_attack(robust, digits, threat):
    for cascade in (True, False):
        verdict = advkd.audit(robust, digits, threat, suite="quick", cascade=cascade, curves={"images": 0})
        row = verdict.main
        assert verdict.robust <= min(row.attacks.values()) <= verdict.clean
        assert all(low <= high for low, high in map(row.alone, row.entries))
        assert verdict.robust == row.survivors.double().mean().item()
    assert {row.alone(name)[0] == row.alone(name)[1] for name in row.entries} == {True}


def test_eps_zero_is_clean_exactly(robust, digits):
    verdict = advkd.audit(robust, digits, Threat(eps=0.0), suite="quick")
    assert verdict.robust == verdict.clean == verdict.main.attacks["pgd-20"]
    assert any("eps is 0" in what for what in verdict.not_tried)
    assert not verdict.flags


def test_only_what_stands_goes_on(robust, digits, threat):
    verdict = advkd.audit(robust, digits, threat, **BRIEF)
    standing = verdict.main.entries["clean"].right
    for name in BRIEF["evaluators"]:
        entry = verdict.main.entries[name]
        assert torch.equal(entry.tried, standing)
        assert torch.isnan(entry.distance[~entry.tried]).all()
        assert (entry.distance[entry.tried] <= 0.2 + 1e-6).all()
        standing = standing & ~entry.broken


def test_budget_ends_in_time_with_an_upper_bound(robust, digits, threat, tmp_path):
    suite = {"evaluators": BRIEF["evaluators"] | {"square": "square"}, "curves": {"images": 0}}
    early = advkd.audit(robust, digits, threat, budget="2s", out=tmp_path, **suite)
    assert not early.complete
    assert early.about["cost"]["seconds"] < 4
    assert any("budget of 2s ran out" in what for what in early.not_tried)
    assert "at most" in (tmp_path / "report.html").read_text()
    suite["evaluators"]["square"] = {"use": "square", "queries": 5000}
    late = advkd.audit(robust, digits, threat, out=tmp_path, **suite)
    assert late.complete
    assert late.robust <= early.robust
    assert json.loads((tmp_path / "result.json").read_text())["complete"]


def test_classes_are_told_apart():
    y = torch.tensor([0, 0, 1, 1, 1, 1])
    right = torch.tensor([True, True, True, True, True, False])
    tried = right.clone()
    stands = torch.tensor([True, True, True, False, False, False])
    distance = torch.zeros(6)
    entries = {
        "clean": LedgerEntry(torch.ones(6, dtype=torch.bool), right, distance),
        "pgd": LedgerEntry(tried, stands, distance),
    }
    row = Standing(entries=entries, y=y, classes=2)
    assert row.about["classes"] == {
        "clean": [1.0, 0.75],
        "robust": [1.0, 0.25],
        "worst": 0.25,
        "spread": 0.75,
    }
    assert (row.robust, row.alone("pgd")) == (0.5, (0.5, 0.5))


def test_a_class_without_examples_is_left_out(robust, digits, threat, tmp_path):
    images = digits.subset((digits.y != 3).nonzero().squeeze(1))
    verdict = advkd.audit(robust, images, threat, out=tmp_path, **BRIEF)
    found = json.loads((tmp_path / "result.json").read_text())
    assert found["classes"]["robust"][3] is None
    assert len(found["classes"]["clean"]) == 10
    assert verdict.about["classes"]["worst"] == min(v for v in found["classes"]["robust"] if v is not None)


def test_teacher_row_and_agreement(robust, digits, threat):
    other = untrained(10)
    evaluators = BRIEF["evaluators"] | {
        "transfer": "transfer",
        "kl-teacher": {"use": "kl-teacher", "steps": 3},
    }
    options = {"curves": {"images": 0}, "evaluators": evaluators}
    verdict = advkd.audit(robust, digits, threat, nets={"teacher": other}, **options)
    assert list(verdict.rows) == ["model", "teacher"]
    wanted = (robust(digits.x).argmax(1) == other(digits.x).argmax(1)).double().mean().item()
    assert verdict.agreement["clean"] == wanted
    for row in verdict.rows.values():
        # each is attacked where it is right itself
        assert torch.equal(row.entries["fgsm"].tried, row.entries["clean"].right)
    fates = [row.survivors for row in verdict.rows.values()]
    assert verdict.agreement["robust"] == (fates[0] == fates[1]).double().mean().item()
    for row in verdict.rows.values():
        right = {"clean": row.entries["clean"].right, "robust": row.survivors}
        assert row.interval == {name: wilson(int(bits.sum()), row.n) for name, bits in right.items()}
        assert row.interval["clean"] != row.interval["robust"]
    assert "transfer" in verdict.main.entries
    assert "transfer" not in verdict.rows["teacher"].entries
    assert any("kl-teacher on the teacher: needs another network" in what for what in verdict.not_tried)


def test_transfer_attacks_what_its_source_gets_wrong(robust, digits, threat):
    batch = Batch(digits.x[:40], digits.y[:40])
    source = untrained(10)
    wrong = source(batch.x).argmax(1) != batch.y
    assert wrong.any()
    transfer = load("evaluators", "transfer")()
    moved = transfer(robust, batch, threat, torch.Generator(), nets={"teacher": source}).x
    assert (moved != batch.x).flatten(1).any(1).all()


def test_kl_teacher_leaves_the_teacher_it_is_given(robust, digits, threat):
    attack, kl = load("evaluators", "kl-teacher")(steps=5), load("losses", "kl")()
    batch = Batch(digits.x, robust(digits.x).argmax(1))
    linear = torch.nn.Linear(64, 10)
    torch.nn.init.normal_(linear.weight, generator=torch.Generator().manual_seed(1))
    teachers = [untrained(10), torch.nn.Sequential(torch.nn.Flatten(), linear)]
    ends = [
        attack(robust, batch, threat, torch.Generator().manual_seed(0), nets={"teacher": net}).x
        for net in teachers
    ]
    stands = [(robust(x).argmax(1) == batch.y) for x in ends]
    both = stands[0] & stands[1]
    assert both.sum() > 10
    for net, own, other in zip(teachers, ends, ends[::-1], strict=True):
        away = [kl(robust(x), net(batch.x))[both].mean() for x in (own, other)]
        assert away[0] > away[1]


def test_what_a_suite_of_that_name_holds_and_was_not_tried_is_told(robust, digits, threat):
    few = {"pgd-20": {"use": "pgd", "steps": 1}, "fgsm": "fgsm", "noise": "noise"}
    verdict = advkd.audit(robust, digits, threat, suite="compare", evaluators=few, curves={"images": 0})
    said = [what for what in verdict.not_tried if "suite compare" in what]
    assert said[0] == "pgd-20 as suite compare has it"
    assert "cw-linf of suite compare" in said
    assert not any("fgsm" in what for what in said)
    whole = advkd.audit(robust, digits, threat, suite="quick", curves={"images": 0})
    assert not any("suite quick" in what for what in whole.not_tried)


@pytest.mark.parametrize("suite", list(entries("suites")))
def test_a_suite_as_it_ships_has_lost_nothing(suite, threat):
    said = left_out(planned(suite, {})[0], threat, [], complete=True)
    assert not [what for what in said if f"suite {suite}" in what]
