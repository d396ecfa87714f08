"""What is missing, damaged or not judged is said, with the file or folder and what to do."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from advkd.cli import main
from advkd.errors import AdvkdError
from advkd.reporting import report
from advkd.reporting.gather import gathered
from advkd.reporting.write import report_audit


@pytest.fixture
def copy(compared, tmp_path):
    """A comparison of two methods, to be spoilt."""
    return shutil.copytree(compared, tmp_path / "parent" / "copy")


@pytest.fixture
def cell(copy):
    return min((copy / "cells").iterdir())


def edited(file, change):
    content = (yaml.safe_load if file.suffix == ".yaml" else json.loads)(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def unjudged(cell):
    """The cell as it is between its training and its audit."""
    shutil.rmtree(cell / "eval")
    edited(cell / "run.yaml", lambda c: c.update(evaluation={}))
    edited(cell / "result.json", lambda c: c["teacher"].update(robust=None))
    with np.load(cell / "examples.npz") as file:
        kept = {key: file[key] for key in file.files if key == "y" or key.endswith(".clean")}
    np.savez(cell / "examples.npz", **kept)
    return cell


def refused(*folders):
    with pytest.raises(AdvkdError) as caught:
        report(folders)
    return str(caught.value)


def test_an_epoch_of_which_one_number_was_written_is_not_the_best(cell):
    best = gathered([cell]).rows[0].history.best
    with (cell / "metrics.jsonl").open("a") as file:
        file.write('{"name": "validation.clean", "value": 1.0}\n')
    history = gathered([cell]).rows[0].history
    assert (history.best, len(history.clean)) == (best, len(history.robust) + 1)


def test_a_student_that_no_attack_has_met_has_no_report(copy, cell):
    unjudged(cell)
    other = max((copy / "cells").iterdir())
    for said in (refused(cell), refused(other, cell)):
        assert "no attack has run on it" in said
        assert f"run advkd eval {cell}" in said


def test_the_command_of_a_run_without_attacks_tells_how_to_judge_it(tmp_path, tiny):
    dropped = (f"~evaluation.{name}" for name in ("fgsm", "pgd-20", "cw-linf"))
    words = (*tiny, "preset=pgd-at", "epochs=1", *dropped)
    done = CliRunner().invoke(main, ["run", *words, f"out={tmp_path / 'run'}"])
    assert done.exit_code == 0, done.output
    assert "clean alone: no attack was run" in " ".join(done.output.split())
    assert "test images" not in done.output
    assert f"judge it by: advkd eval {tmp_path / 'run'}" in done.output


def of(who, audit):
    """The audit as if another network of the run had been judged."""
    edited(audit / "result.json", lambda c: c.update(judged=who))
    with np.load(audit / "examples.npz") as file:
        content = {key.replace("student.", f"{who}."): file[key] for key in file.files}
    content["about"] = np.array(str(content["about"]).replace('"student"', f'"{who}"'))
    np.savez(audit / "examples.npz", **content)
    return audit


@pytest.mark.parametrize(("who", "name"), [("teacher", "teacher of {}"), ("last", "{}, last epoch")])
def test_an_audit_of_another_network_of_a_run_is_not_called_after_its_student(cell, who, name):
    preset = gathered([cell]).rows[0].name
    audit = of(who, next((cell / "eval").iterdir()))
    report_audit(audit)
    (row,) = gathered([audit]).rows
    assert row.name == name.format(preset)
    assert row.name in (audit / "report.md").read_text().splitlines()[0]
    assert row.paths is None
    assert (row.history is None, row.scales is None, row.seed is None) == (3 * (who == "teacher",))


def test_several_networks_of_one_run_are_rows_of_one_report(cell):
    (first,) = (cell / "eval").iterdir()
    others = [of(who, shutil.copytree(first, cell / "eval" / who)) for who in ("last", "teacher")]
    assert len({row.name for row in gathered([cell, *others]).rows}) == 3


def test_the_weights_of_a_term_that_counts_late_stand_at_its_epochs(cell):
    def told(name, epoch, stage="student", **more):
        return json.dumps({"name": name, "value": 0.5, "epoch": epoch, "stage": stage, **more}) + "\n"

    lines = [told("validation.clean", epoch) for epoch in range(4)]
    lines += [told("train.weight.late", epoch, parts={"0": 0.25, "1": 0.75}) for epoch in (2, 3)]
    lines += [told(name, 0, "teacher") for name in ("validation.clean", "train.loss")]
    (cell / "metrics.jsonl").write_text("".join(lines))
    history = gathered([cell]).rows[0].history
    assert len(history.clean) == 4
    none, some = [np.nan, np.nan], [0.25, 0.75]
    assert np.array_equal(history.weights["late"], [none, none, some, some], equal_nan=True)


def test_an_audit_of_the_teacher_alone_leaves_the_page_of_a_run_that_is_not_judged(copy, cell):
    unjudged(cell)
    audit = cell / "eval" / "quick-1"
    other = max((copy / "cells").iterdir())
    shutil.copytree(next((other / "eval").iterdir()), audit)
    report_audit(of("teacher", audit))
    assert (audit / "report.html").exists()
    assert not (cell / "report.html").exists()


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


def test_one_student_is_counted_once(copy, cell, monkeypatch):
    monkeypatch.chdir(cell.parent)
    assert len(gathered([cell, cell, cell / "." / ".." / cell.name]).rows) == 1
    more = shutil.copytree(copy, copy.parent / "more", ignore=shutil.ignore_patterns("cells"))

    def shared(content):
        content["rows"] = [
            {**row, "folder": f"../copy/{row['folder']}", "audit": row["audit"] and f"../copy/{row['audit']}"}
            for row in content["rows"]
        ]

    edited(more / "result.json", shared)
    assert len(gathered([copy, more]).groups[0].rows) == len(gathered([copy]).groups[0].rows)


def test_images_are_called_after_the_part_they_are_of(cell, tmp_path):
    audit = next((cell / "eval").iterdir())
    edited(audit / "result.json", lambda c: c["options"].update(part="validation"))
    page = report(cell, tmp_path).read_text()
    assert "60 validation images" in page
    assert "60 test images" not in page


def test_a_limit_of_the_run_that_its_audit_did_not_keep_is_not_named(cell, tmp_path):
    assert "Limited to 60 test images (split.test)" in report(cell, tmp_path).read_text()
    audit = next((cell / "eval").iterdir())
    edited(audit / "result.json", lambda c: c["options"]["split"].update(test=None))
    page = report(cell, tmp_path).read_text()
    assert "split.test" not in page
    assert "Limited to 160 training images (split.train)" in page


def test_of_different_teachers_none_is_shown(copy, tmp_path):
    page = report(copy, tmp_path / "one").read_text()
    shown = (">teacher</dt><dd>", "☆", ">teacher</text>")
    assert all(what in page for what in shown[:2])
    assert "different teachers" not in page
    first = min((copy / "cells").iterdir())
    edited(first / "run.yaml", lambda c: c["teacher"].update(validation={"use": "fgsm"}))
    assert "different teachers" not in report(copy, tmp_path / "pinned").read_text()
    edited(first / "run.yaml", lambda c: c["teacher"].update(epochs=4))
    page, text = report(copy, tmp_path / "two").read_text(), (tmp_path / "two" / "report.md").read_text()
    assert not any(what in page for what in shown)
    for told in (page, text):
        assert "These students have learned from different teachers, so none is shown beside them." in told


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
