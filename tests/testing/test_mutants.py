"""No check is blind: each has a faulty member, which it catches, and which no other check minds."""

from __future__ import annotations

import pytest

from advkd.registry import SLOTS
from advkd.testing import findings
from advkd.testing.checks import MEMBERS, checks
from advkd.testing.mutants import mutants

PLANTED = [(slot, name) for slot in (*SLOTS, MEMBERS) for name in mutants(slot)]

SPREADS = {"signature_fits", "declares_its_kind"}
"""Faults that break whatever calls the member."""


@pytest.mark.parametrize("slot", SLOTS)
def test_every_check_has_a_mutant_and_every_mutant_a_check(slot):
    own = set(mutants(slot))
    shared = {"presets": "methods", "settings": None, "suites": None}.get(slot, MEMBERS)
    assert set(checks(slot)) == own | set(mutants(shared) if shared else ())
    assert own


@pytest.mark.parametrize(("slot", "name"), PLANTED)
def test_a_mutant_is_caught_by_its_check_alone(slot, name):
    found = findings("losses" if slot == MEMBERS else slot, mutants(slot)[name])
    failed = {finding.check for finding in found if finding.state == "failed"}
    assert name in failed
    assert failed == {name} or name in SPREADS
    (why,) = (finding.why for finding in found if finding.check == name)
    assert why.strip()


@pytest.mark.parametrize("slot", SLOTS)
def test_a_check_says_its_sentence(slot):
    for name, check in checks(slot).items():
        assert check.name == name
        assert check.sentence.endswith("."), name
        assert len(check.sentence) < 120, name
