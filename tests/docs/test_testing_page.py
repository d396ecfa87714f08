"""The page on the conformance kit names every check with the sentence it says."""

from __future__ import annotations

from pathlib import Path

from advkd.registry import SLOTS
from advkd.testing.checks import MEMBERS, checks
from advkd.testing.mutants import mutants

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"


def rows() -> list[str]:
    """One row per check, under the slot it belongs to; the shared ones once, first."""
    shared = [name for name in checks("losses") if name in mutants(MEMBERS)]
    found = [f"| all members | `{name}` | {checks('losses')[name].sentence} |" for name in shared]
    for slot in SLOTS:
        own = (check for name, check in checks(slot).items() if name in mutants(slot))
        found += [f"| {slot} | `{check.name}` | {check.sentence} |" for check in own]
    return found


def test_the_table_is_the_contract():
    text = PAGE.read_text(encoding="utf-8")
    table = [line for line in text[text.index("## The checks") :].splitlines() if line.startswith("| ")]
    assert table == ["| slot | check | promise |", *rows()], "\n".join(rows())
