"""What a comparison tells at the terminal and in its report beside the verdict."""

import json
import shlex
from dataclasses import replace

from made_outcome import outcome
from rich.console import Console

from advkd.comparing import tables
from advkd.comparing.cell import Made
from advkd.comparing.outcome import concluded
from advkd.comparing.plan import planned
from advkd.comparing.request import parsed
from advkd.reporting.gather import compared as compared_rows
from advkd.reporting.markdown import markdown
from advkd.reporting.material import Material
from advkd.reporting.page import html


def failed(plan, tmp_path):
    """Every cell of a plan, none of them made."""
    return [Made(tmp_path / "cells" / cell.name, error="planted") for cell in plan.cells]


def test_flags_of_audits_stand_beside_the_verdict(tmp_path):
    found = outcome(tmp_path, {"rslad": (400, 405), "ard": (650, 656)})
    assert "flags" not in found.headline
    flagged = {"flags": [{"name": "loss-flat"}], "options": {}}
    made = [replace(one, judged=replace(one.judged, audit=flagged)) for one in found.made[::2]]
    again = concluded(found.plan, found.folder, [made[0], found.made[1], made[1], found.made[3]], None, {})
    assert again.headline.endswith(
        " Audits raised flags on rslad (loss-flat): reasons to doubt how robust they are."
    )


def test_students_of_other_versions_are_told(tmp_path):
    found = outcome(tmp_path, {"rslad": (400, 405), "ard": (650, 656)})
    assert found.mixed == []
    file = found.made[0].folder / "result.json"
    file.write_text(json.dumps({"environment": {"device": "cpu", "threads": 1, "torch": "2.0"}}))
    found = concluded(found.plan, found.folder, found.made, None, {})
    told = ["device: cpu for rslad seed 0; cuda for ard seed 0, rslad seed 1, ard seed 1"]
    assert found.mixed == found.about["differences"] == told
    shown = Console(record=True, width=200)
    tables.concluded(shown, found)
    assert f"differs  {told[0]}" in shown.export_text()


def test_students_judged_by_another_version_are_told(tmp_path):
    found = outcome(tmp_path, {"rslad": (400, 405), "ard": (650, 656)})
    versions = ("0.1", "0.1", "0.1", "0.2")
    made = [
        replace(one, judged=replace(one.judged, audit={"environment": {"advkd": version}}))
        for one, version in zip(found.made, versions, strict=True)
    ]
    found = concluded(found.plan, found.folder, made, None, {})
    assert found.mixed == [
        "advkd, judged: 0.1 for rslad seed 0, rslad seed 1, ard seed 0; 0.2 for ard seed 1"
    ]


def test_the_command_is_one_a_shell_takes_and_names_the_file_of_its_members(tmp_path):
    words = ["preset=rslad", "vary=method.total:{a: 1},2", "seeds=0"]
    plan = replace(planned(parsed(["presets=rslad,ard"])), request=parsed(words, load="my file.py"))
    command = concluded(plan, tmp_path / "it", failed(plan, tmp_path), None, {}).about["command"]
    assert shlex.split(command) == ["advkd", "compare", "load=my file.py", *words]


def test_words_of_one_entrant_are_printed_and_stand_in_the_report(compared, tmp_path):
    plan = planned(parsed(["presets=rslad,more:rslad", "more.method.total=4"]))
    content = concluded(plan, tmp_path / "it", failed(plan, tmp_path), None, {}).about
    out, says = Console(record=True, width=200), "more: preset=rslad method.total=4"
    tables.terms(out, plan)
    assert f"words    {says}\n" in out.export_text()
    old = json.loads((compared / "result.json").read_text())
    del old["words"]
    assert "What each was given" not in html(Material(rows=compared_rows(compared, old), comparison=old))
    material = Material(rows=compared_rows(compared, old), comparison={**old, "words": content["words"]})
    assert f"<li>{says}</li>" in html(material)
    assert f"\n- {says}\n" in markdown(material)
    assert "rslad: preset=rslad\n" not in markdown(material)


def test_the_environment_is_that_of_the_cells(tmp_path):
    found = outcome(tmp_path, {"rslad": (400, 405), "ard": (450, 456)}, threads=(1, 2))
    assert found.about["environment"] == {"device": "cuda", "threads": "1, 2"}


def test_the_terminal_says_the_pairs_of_the_first_and_what_differs(tmp_path):
    found = outcome(tmp_path, {"rslad": (460, 461), "ard": (450, 456), "iad": (455, 449)})
    out = Console(record=True, width=200)
    tables.concluded(out, found)
    said = out.export_text()
    assert "rslad and ard are not distinguishable" in said
    assert "rslad and iad are not distinguishable" in said
    assert "ard and iad are" not in said
    assert "1 further pair is not distinguishable; the report lists them" in said


def test_the_terminal_says_once_that_one_seed_tests_no_method(tmp_path):
    out = Console(record=True, width=200)
    tables.concluded(out, outcome(tmp_path, {"rslad": (460,), "ard": (450,), "iad": (455,)}))
    said = out.export_text()
    assert "these methods, not tested: needs more than one seed for both" in said
    assert "not distinguishable" not in said
