"""What is missing, damaged or not judged is said, with the file or folder and what to do."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from stored_parts import edited, refused

from advkd.cli import main
from advkd.reporting import report
from advkd.reporting.gather import gathered
from advkd.reporting.write import report_audit


def unjudged(cell):
    """The cell as it is between its training and its audit."""
    shutil.rmtree(cell / "eval")
    edited(cell / "run.yaml", lambda c: c.update(evaluation={}))
    edited(cell / "result.json", lambda c: c["teacher"].update(robust=None))
    with np.load(cell / "examples.npz") as file:
        kept = {key: file[key] for key in file.files if key == "y" or key.endswith(".clean")}
    np.savez(cell / "examples.npz", **kept)
    return cell


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
