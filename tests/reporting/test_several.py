"""Of several folders: seeds stay together, variants apart, copies count once, bounds are told as bounds."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
import yaml

from advkd.errors import AdvkdError
from advkd.reporting.gather import gathered
from advkd.reporting.material import Material
from advkd.reporting.notes import notes
from advkd.reporting.words import headline, measured


@pytest.fixture
def cells(compared, tmp_path):
    """Two seeds of `path-dual` and two of `rslad`, to be spoilt."""
    found = sorted((compared / "cells").iterdir())
    return [shutil.copytree(cell, tmp_path / "a" / cell.name) for cell in found]


def rehashed(cell, name, digits):
    """A copy of a cell as the training of another configuration has left it."""
    folder = shutil.copytree(cell, cell.parent / name)
    run = yaml.safe_load((folder / "run.yaml").read_text())
    (folder / "run.yaml").write_text(yaml.safe_dump({**run, "hash": digits}))
    return folder


def incomplete(cell):
    """The audit of a cell as a budget that ran out leaves it."""
    (file,) = cell.glob("eval/*/result.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), "complete": False}))


def test_validation_images_are_said_to_have_chosen_the_epoch(compared):
    material = gathered([compared])
    told = "also served to select each student's best epoch"
    assert not any(told in note for note in notes(material))
    rows = [replace(row, judged=row.judged and on_validation(row.judged)) for row in material.rows]
    assert any(told in note for note in notes(Material(rows=rows)))


def test_students_of_two_engines_are_said_to_be(compared):
    rows = list(gathered([compared]).rows)
    assert not any("by one engine" in note for note in notes(Material(rows=rows)))
    other = {"bf16": not rows[0].history.engine["bf16"], "compiled": True}
    rows[0] = replace(rows[0], history=replace(rows[0].history, engine=other))
    (told,) = [note for note in notes(Material(rows=rows)) if "by one engine" in note]
    assert f"bf16, compiled: {rows[0].name};" in told
    assert rows[1].name in told


def test_runs_of_other_seeds_and_settings_are_said_to_be(cells):
    material = gathered(cells)
    assert "Their seeds differ" not in headline(material)
    assert not any("differ in more than their method" in note for note in notes(material))
    run = yaml.safe_load((cells[2] / "run.yaml").read_text())
    (cells[2] / "run.yaml").write_text(yaml.safe_dump({**run, "epochs": 7}))
    material = gathered(cells[:3])
    assert "Their seeds differ: rslad 0; path-dual 0 and 1." in headline(material)
    (told,) = [note for note in notes(material) if "differ in more than their method" in note]
    assert told.endswith("in epochs: 3 for path-dual; 7 for rslad.")


def on_validation(judged):
    options = {**judged.audit["options"], "part": "validation"}
    return replace(judged, audit={**judged.audit, "options": options})


def test_a_cell_that_failed_in_one_comparison_counts_where_it_did_not(compared, tmp_path):
    good, bad = (shutil.copytree(compared, tmp_path / name) for name in ("good", "bad"))
    shutil.rmtree(bad / "cells")
    content = json.loads((bad / "result.json").read_text())
    for row in content["rows"]:
        row |= {"folder": f"../good/{row['folder']}", "state": "failed", "error": "planted"}
    (bad / "result.json").write_text(json.dumps(content))
    rows = gathered([good, bad]).rows
    assert [row.judged is None for row in rows] == [row.judged is None for row in gathered([good]).rows]


def test_a_cell_named_beside_its_comparison_keeps_its_label(compared, tmp_path):
    folder = shutil.copytree(compared, tmp_path / "labelled")
    content = json.loads((folder / "result.json").read_text())
    content["rows"] = [{**row, "name": f"my {row['name']}"} for row in content["rows"]]
    (folder / "result.json").write_text(json.dumps(content))
    rows = gathered([folder, next((folder / "cells").iterdir())]).rows
    assert [row.name for row in rows] == [row["name"] for row in content["rows"]]


def test_seeds_of_a_variant_stay_together(cells):
    mine, digits = [cell for cell in cells if cell.name.startswith("rslad")], "1" * 8
    others = [rehashed(cell, f"rslad-{digits}-{seed}", digits) for seed, cell in enumerate(mine)]
    groups = gathered([*mine, *others]).groups
    stem = mine[0].name.removesuffix("-0")
    assert [group.name for group in groups] == [f"rslad ({stem})", f"rslad (rslad-{digits})"]
    assert [[row.seed for row in group.rows] for group in groups] == [[0, 1], [0, 1]]


def test_variants_in_folders_of_one_name_get_their_hashes(cells):
    one, two = cells[0], rehashed(cells[0], "other", "1" * 8)
    moved = shutil.copytree(two, one.parents[1] / "b" / one.name)
    names = [group.name for group in gathered([one, moved]).groups]
    assert names == [f"path-dual ({gathered([one]).rows[0].hash})", f"path-dual ({'1' * 8})"]


def test_a_copy_of_a_student_is_no_second_seed(cells, tmp_path):
    copy = shutil.copytree(cells[0], tmp_path / "b" / cells[0].name)
    (group,) = gathered([cells[0], copy, cells[1]]).groups
    assert [row.seed for row in group.rows] == [0, 1]


def test_an_audit_that_ran_out_of_time_is_not_put_beside_a_whole_one(cells):
    incomplete(cells[0])
    material = gathered([cells[0], cells[-1]])
    # both have the evaluation of their own runs
    assert all(row.judged and row.judged.audit is None for row in material.rows)
    audits = [next(cell.glob("eval/*")) for cell in (cells[0], cells[-1])]
    with pytest.raises(AdvkdError, match="different attacks"):
        gathered(audits)


def test_of_bounds_the_highest_is_said_to_be_one(cells):
    audits = [next(cell.glob("eval/*")) for cell in (cells[0], cells[-1])]
    assert "at most" not in headline(gathered(audits))
    for cell in (cells[0], cells[-1]):
        incomplete(cell)
    material = gathered(audits)
    assert "the highest robust accuracy, at most " in headline(material)
    assert all(measured(group, "robust").startswith("≤ ") for group in material.groups)
    assert not any(measured(group, "clean").startswith("≤") for group in material.groups)


def test_an_attack_that_spared_images_is_named(cells):
    audits = [next(cell.glob("eval/*")) for cell in cells]
    rows = [row for row in gathered(audits).rows if row.judged]
    assert not [note for note in notes(Material(rows=rows)) if "have not met it" in note]
    one = rows[0].judged
    attack, standing = one.attacks[-1], one.survivors.nonzero()[0]
    tried = one.tried[attack].copy()
    tried[standing[: len(standing) // 2]] = False
    spared = replace(one, tried={**one.tried, attack: tried})
    told = notes(Material(rows=[replace(rows[0], judged=spared), *rows[1:]]))
    (note,) = [note for note in told if "have not met it" in note]
    share = 100 * (len(standing) // 2) / len(standing)
    assert note.startswith(f"{attack} was run on some of the images")
    assert f"0.0 to {share:.1f} %, by student" in note


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("result.json", {"cost": {"student_parameters": 7}}),
        ("run.yaml", {"images": {"training": "other"}}),
        ("run.yaml", {"given": {"student": "Other"}}),
    ],
    ids=["another network", "other images", "another class"],
)
def test_trainings_that_differ_in_what_no_configuration_says_are_no_seeds(cells, file, changes):
    one, two = (cell for cell in cells if cell.name.startswith("rslad"))
    run = yaml.safe_load((one / "run.yaml").read_text())
    (one / "run.yaml").write_text(yaml.safe_dump({**run, "given": {"student": "Net"}}))
    assert len(gathered([one, two]).groups) == 1
    path = two / file
    # JSON is YAML
    path.write_text(json.dumps({**yaml.safe_load(path.read_text()), **changes}))
    assert [len(group.rows) for group in gathered([one, two]).groups] == [1, 1]


def test_a_run_beside_a_comparison_is_shown_by_the_audit_they_share(compared, cells):
    (audit,) = cells[0].glob("eval/*")
    other = shutil.copytree(audit, audit.with_name("a"))
    content = json.loads((other / "result.json").read_text())
    content["options"] = {**content["options"], "seed": 9}
    (other / "result.json").write_text(json.dumps(content))
    assert gathered([cells[0]]).judged.audit["options"]["seed"] == 9
    rows = [row.judged for row in gathered([compared, cells[0]]).rows if row.judged]
    assert {judged.audit["options"]["seed"] for judged in rows} == {0}


def test_the_page_of_a_run_is_headed_by_its_own_threat(cells):
    (audit,) = cells[0].glob("eval/*")
    other = shutil.copytree(audit, audit.with_name("a"))
    content = json.loads((other / "result.json").read_text())
    (other / "result.json").write_text(json.dumps({**content, "threat": "linf eps 0.9"}))
    assert gathered([cells[0]]).threat == content["threat"]
