"""A run folder as it is judged from the command line: best, last and teacher."""

from __future__ import annotations

import json

import pytest
from audit_parts import QUICK, run

from advkd import api

ALL = ("suite=quick", "curves.images=0")


@pytest.fixture
def folder(tiny, tmp_path):
    """The folder of a run."""
    api.train(api.resolve("preset=rslad", *tiny), out=tmp_path / "run")
    return tmp_path / "run"


def test_a_run_folder_with_best_last_and_teacher(folder):
    said = run(str(folder), *ALL)
    (out,) = (folder / "eval").iterdir()
    found = json.loads((out / "result.json").read_text())
    assert found["judged"] == "student"
    assert {"last", "teacher", "agreement"} <= found.keys()
    assert found["n_test"] == 60
    assert found["threat"] == "linf eps 0.2"
    assert found["robust"] <= min(found["attacks"].values()) <= found["clean"]
    costs = {"seconds", "forwards", "backwards", "peak_memory_mb", "batch_size", "engine"}
    assert set(found["cost"]) == costs
    assert "torch" in found["environment"]
    assert "same answer on" in said
    page = (out / "report.html").read_text()
    assert f"{100 * found['robust']:.1f} % robust" in page
    assert "http" not in page
    again = run(str(folder), *ALL)
    assert "tried" not in again.split("accuracy in %")[0]
    assert "worst case" in again


def test_rows_of_a_run_folder(folder, tmp_path):
    said = run(str(folder), *ALL, "rows=[best]")
    assert "last" not in said.split("95 %")[0]
    (out,) = (folder / "eval").iterdir()
    # the verdict on the best student stays where it was
    run(str(folder), *ALL, "rows=[last]")
    run(str(folder), *ALL, "rows=[last,best]")
    assert json.loads((out / "result.json").read_text())["judged"] == "student"
    (other,) = {file.parent for file in (folder / "eval").glob("*/result.json")} - {out}
    assert json.loads((other / "result.json").read_text())["judged"] == "last"
    run(str(folder), *ALL)
    said = run(str(folder), *ALL, "rows=[teacher]", f"out={tmp_path / 'alone'}")
    assert "student" not in said.split("95 %")[0]
    alone = json.loads((tmp_path / "alone" / "result.json").read_text())
    teacher = json.loads((out / "result.json").read_text())["teacher"]
    assert (alone["judged"], alone["clean"]) == ("teacher", teacher["clean"])


def test_a_student_file_beside_a_teacher_or_a_network_of_the_reader(folder, tmp_path):
    last = folder / "student-last.safetensors"
    run(str(folder / "student.safetensors"), *QUICK, f"teacher={last}", f"out={tmp_path / 'more'}")
    assert "teacher" in json.loads((tmp_path / "more" / "result.json").read_text())
    sibling = f"+nets.sibling={{use: file, path: {last}}}"
    attack = "+evaluators.sibling={use: transfer, source: sibling}"
    said = run(str(folder / "student.safetensors"), *QUICK, sibling, attack, f"out={tmp_path / 'sibling'}")
    assert "sibling" in said.split("worst case")[0].split("accuracy in %")[1]
