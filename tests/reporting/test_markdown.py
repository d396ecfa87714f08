"""`report.md` shows names as they are."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest

from advkd.errors import AdvkdError
from advkd.reporting import report
from advkd.reporting.gather import compared as rows_of
from advkd.reporting.gather import gathered
from advkd.reporting.page import facts
from advkd.reporting.reading import _notes


def test_the_text_says_how_its_numbers_are_read(compared, tmp_path):
    report(compared, tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert "Mean ± SD over seeds where there are several" in text
    assert "A difference is the first method less the second." in text
    assert f"Made by `{json.loads((compared / 'result.json').read_text())['command']}`" in text


def test_the_text_of_one_student_has_what_its_page_has(compared, tmp_path):
    cell = next(cell for cell in (compared / "cells").iterdir() if list(cell.glob("eval/*")))
    report(cell, tmp_path)
    text = (tmp_path / "report.md").read_text()
    (audit,) = cell.glob("eval/*/result.json")
    robust = json.loads(audit.read_text())["robust"]
    assert f"| worst case | {100 * robust:.1f} |" in text
    assert "Accuracy in % under each attack alone. A range says" in text
    assert "Wilson" not in text.split("## Numbers")[1].split("##")[0]
    assert "## Not tried" in text


def test_names_are_text_in_markdown_too(compared, tmp_path):
    folder, name = shutil.copytree(compared, tmp_path / "copy"), "<b>a*</b> `x` _y_ z_w [l](u)|"
    content = json.loads((folder / "result.json").read_text())
    content["headline"] = f"{name} has it, p < 0.001."
    content["differences"] = [f"epochs: {name} 2"]
    content["methods"][0]["says"] = f"{name} is it."
    content["words"] = {name: ["preset=rslad"]}
    for row in content["rows"][:2]:
        row["name"] = name
    (folder / "result.json").write_text(json.dumps(content))
    report(folder, tmp_path)
    text = (tmp_path / "report.md").read_text()
    shown = "\\<b>a\\*\\</b> \\`x\\` \\_y\\_ z_w [l\\](u)"
    assert f"**{shown}| has it, p < 0.001.**" in text
    for line in (
        f"- epochs: {shown}| 2",
        f"- {shown}| is it.",
        f"- {shown}|: preset=rslad",
        f"- **{shown}|**",
    ):
        assert f"\n{line}" in text
    assert f"\n| {shown}\\| | " in text
    assert "<b>" not in text.replace("\\<b>", "")


def test_sums_of_scales_and_limits_are_told(compared):
    material = gathered([compared])
    assert dict(facts(material))["sum of loss scales"] == "2.67 for path-dual; 1 for rslad"
    judged = material.judged
    options = {"part": "test", "limit": judged.scores.n}
    limited = replace(judged, audit={**judged.audit, "options": options})
    assert f"Of the test images {judged.scores.n} were judged (limit), stratified." in _notes({}, limited)


def test_a_pair_without_a_verdict_is_told_as_a_damaged_file(compared):
    content = json.loads((compared / "result.json").read_text())
    del content["methods"][0]["verdict"]
    with pytest.raises(AdvkdError, match=r"result\.json cannot be read: it lacks 'verdict'"):
        rows_of(compared, content)
