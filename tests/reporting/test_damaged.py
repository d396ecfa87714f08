"""Reports of what is damaged, missing or not there at all."""

from __future__ import annotations

import json
import shutil

import pytest
from stored_parts import edited, refused

from advkd.reporting import report
from advkd.reporting.gather import gathered


@pytest.mark.parametrize(
    ("name", "spoil", "says"),
    [
        ("result.json", lambda f: f.write_text("[1, 2]"), "holds no mapping"),
        ("result.json", lambda f: f.write_bytes(f.read_bytes()[:50]), "cannot be read"),
        ("run.yaml", lambda f: f.write_text("- 1"), "holds no mapping"),
        ("metrics.jsonl", lambda f: f.write_text("{broken}\n"), "cannot be read"),
        ("metrics.jsonl", lambda f: f.write_text('{"value": 1}\n'), "lacks 'name'"),
        ("paths.npz", lambda f: f.write_bytes(f.read_bytes()[:500]), "cut short"),
        ("eval/*/examples.npz", lambda f: f.write_bytes(flipped(f)), "cut short"),
        ("eval/*/examples.npz", lambda f: f.write_bytes(f.read_bytes()[:-40]), "cut short"),
        ("eval/*/result.json", lambda f: f.write_text("[]"), "holds no mapping"),
    ],
)
def test_a_damaged_file_is_named_with_its_remedy(cell, name, spoil, says):
    file = next(cell.glob(name))
    spoil(file)
    said = refused(cell)
    assert says in said
    assert str(file) in said
    assert "remove it" in said or "put it back" in said


def flipped(file):
    """The bytes of an archive with those in its middle turned over."""
    content = bytearray(file.read_bytes())
    half = len(content) // 2
    content[half : half + 40] = bytes(byte ^ 255 for byte in content[half : half + 40])
    return bytes(content)


def test_an_audit_without_content_is_damaged(copy, cell):
    file = next(cell.glob("eval/*/result.json"))
    file.write_text("{}")
    for folder in (file.parent, copy):
        assert "lacks 'judged'" in refused(folder)


def test_a_failed_cell_may_be_damaged_and_may_be_the_first(copy, tmp_path):
    content = json.loads((copy / "result.json").read_text())
    first = content["rows"][0]
    first |= {"state": "failed", "error": "planted\n  do it again", "audit": None}
    (copy / "result.json").write_text(json.dumps(content))
    for spoil in ("", "{", None):
        if spoil is None:
            shutil.rmtree(copy / first["folder"])
        elif spoil:
            (copy / first["folder"] / "result.json").write_text(spoil)
        assert "planted" in report(copy, tmp_path / "out").read_text()
        assert len(gathered([copy]).rows) == len(content["rows"])
        text = (tmp_path / "out" / "report.md").read_text().splitlines()
        assert all(line.endswith(" |") for line in text if line.startswith("|"))


def test_a_comparison_of_one_student_and_a_failed_first_one(copy, tmp_path):
    edited(copy / "result.json", lambda c: c.update(rows=[c["rows"][-1], c["rows"][0]], methods=[]))
    assert "images/s" in report(copy, tmp_path / "out").read_text()


def test_a_comparison_that_has_not_ended_says_how_to_end_it(copy):
    (copy / "comparison.yaml").write_text("hash: 1")
    (copy / "result.json").unlink()
    assert "run the same advkd compare command again" in refused(copy)


def test_a_comparison_without_its_cells_says_so(copy):
    shutil.rmtree(copy / "cells")
    said = refused(copy)
    assert "the cells of the comparison are not beside it" in said
    assert "resume=" not in said


def test_a_path_that_is_not_there_and_a_parent_name_what_is_near(copy, cell):
    said = refused(copy / "cells" / f"{cell.name}0")
    assert "does not exist" in said
    assert f"nearest  {cell}" in said
    said = refused(copy / "cells")
    assert "is not the folder of a run" in said
    assert f"names    {cell}, " in said


def test_a_run_that_has_not_ended_is_named_in_its_remedy(cell):
    (cell / "result.json").unlink()
    assert f"advkd run resume={cell}" in refused(cell)
