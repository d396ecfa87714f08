"""The pages that are made, not written, hold everything there is."""

import sys
from pathlib import Path

import pytest

from advkd.registry import SLOTS, entries

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def generated():
    sys.path.insert(0, str(DOCS))
    try:
        import generated

        yield generated
    finally:
        sys.path.remove(str(DOCS))


@pytest.mark.parametrize("slot", SLOTS)
def test_every_member_has_its_place(generated, slot):
    page = generated.slot_page(slot)
    names = list(entries(slot))
    assert names
    assert [name for name in names if f"\n## `{name}`\n" not in page] == []


@pytest.mark.parametrize("key", ["schedule", "optimizer", "subset", "cascade", "rows"])
def test_every_word_is_told(generated, key):
    assert f"\n| `{key}` |" in generated.words()


def test_every_card_is_in_the_table_with_its_formula(generated):
    page = generated.table_of_cards()
    for card in generated.cards():
        assert f"](cards/{card.parent.name}.md)" in page
    for name in ("path-dual", "rslad", "ard", "iad", "adaad", "trades", "mart", "pgd-at"):
        formula = page.split("\n## Formulas\n")[1].split(f"\n**`{name}`")[1].split("\n**")[0]
        assert "loss" in formula, name


def test_every_page_is_reached(generated):
    index = (DOCS / "index.md").read_text()
    for page in DOCS.glob("*.md"):
        assert page.stem == "index" or f"\n{page.stem}\n" in index, page


def test_pages_that_are_the_same_are_left(generated, tmp_path):
    generated.write(tmp_path)
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.md")}
    generated.write(tmp_path)
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.md")} == before
    assert (tmp_path / "cards" / "path_dual.md").exists()
