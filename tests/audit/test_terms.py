"""What makes no attack, or would silently not be run, is refused before anything is."""

from __future__ import annotations

import pytest
from audit_parts import BRIEF

import advkd
from advkd.auditing.case import resolve_case
from advkd.errors import AdvkdError

WORDS = {
    "evaluators.apgd-ce.restarts=0": "must be at least 1",
    "evaluators.apgd-ce.steps=0": "must be at least 1",
    "evaluators.apgd-t.targets=0": "must be at least 1",
    "+evaluators.fab={use: fab-t, steps: 0}": "must be at least 1",
    "evaluators.square.queries=0": "must be at least 1",
    "evaluators.pgd-40.steps=0": "must be at least 1",
    "evaluators.cw-linf.steps=0": "must be at least 1",
    "evaluators.transfer.steps=0": "must be at least 1",
    "evaluators.kl-teacher.steps=0": "must be at least 1",
    "evaluators.pgd-40.step_size=0": "above 0",
    "evaluators.pgd-40.step_size=.nan": "finite number",
    "threat.eps=.nan": "finite number",
    "subset.sqare=10": "nearest  square",
    "subset.square=0": "must be at least 1",
    "subset.square=-5": "must be at least 1",
    "curves.images=-3": "must not be negative",
    "curves.eps=[0]": "must be above 0",
    "curves.steps=[0]": "must be at least 1",
    "rows=best": r"should be a list\n(?s:.*)write rows=\[best\]",
    "siute=full": r"nearest  suite\n(?s:.*)evaluation\.md, Words",
    "+evaluators.clean={use: pgd}": "this name is reserved",
    "+evaluators.mine={use: 'art:Nope'}": "evasion attack",
}


@pytest.mark.parametrize(("word", "says"), WORDS.items())
@pytest.mark.filterwarnings("ignore")
def test_it_is_refused(word, says):
    with pytest.raises(AdvkdError, match=says):
        resolve_case("student.py:student", "setting=digits", "suite=standard", word)


def test_a_suite_may_limit_what_a_word_takes_out():
    assert resolve_case("student.py:student", "setting=digits", "drop=evaluators.square").subset


def test_every_key_is_an_entry_of_its_own(robust, digits, threat):
    """Two of one kind, each run: also those that have a name they may be called by."""
    pair = {"one": {"use": "pgd", "steps": 2}, "two": {"use": "pgd", "steps": 5}}
    named = {"official": "autoattack", "again": {"use": "autoattack", "seed": 1}}
    few = digits.subset(digits.y.new_tensor([0, 1]))
    verdict = advkd.audit(robust, few, threat, **(BRIEF | {"evaluators": pair | named, "cascade": False}))
    assert list(verdict.main.entries) == ["clean", "one", "two", "official", "again"]
    assert all(entry.done for entry in verdict.main.entries.values())
