"""Whose number stands where: student, last epoch and teacher, clean and robust, tried and broken."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from advkd.reporting.gather import gathered
from advkd.reporting.material import History, Judged, Material, Row, Scores
from advkd.reporting.page import facts
from advkd.reporting.table import csv_text, methods, students

OTHERS = {"last": {"clean": 0.61, "robust": 0.31}, "teacher": {"clean": 0.93, "robust": 0.71}}
N, AT = 40, np.arange(40)


def line(material):
    (found,) = csv.DictReader(io.StringIO(csv_text(material)))
    return found


@pytest.fixture
def cell(compared, tmp_path):
    return shutil.copytree(min((compared / "cells").glob("path-dual-*")), tmp_path / "cell")


@pytest.mark.parametrize("audited", [True, False])
def test_the_numbers_of_student_last_epoch_and_teacher_are_not_taken_for_each_other(cell, audited):
    if audited:
        (file,) = cell.glob("eval/*/result.json")
    else:
        shutil.rmtree(cell / "eval")
        file = cell / "result.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | OTHERS))
    with np.load(file.parent / "examples.npz") as bits:
        clean = bits["student.clean"].mean()
        robust = np.all([bits[key] for key in bits.files if is_outcome(key)], axis=0).mean()
    material = gathered([cell])
    shown = line(material)
    assert (float(shown["clean"]), float(shown["robust"])) == (clean, robust)
    for who, row in OTHERS.items():
        assert {what: float(shown[f"{who}_{what}"]) for what in row} == row
    assert dict(facts(material))["teacher"] == "93.0 % clean, 71.0 % robust"
    heads, [(_, cells)] = students(material)
    assert dict(zip(heads, [one.text for one in cells], strict=True))["last, robust"] == "31.0"


def is_outcome(key):
    return key.startswith("student.") and key.count(".") == 1


def test_what_was_tried_what_was_broken_and_all_that_was_passed():
    right = {"clean": AT < 36, "fgsm": AT < 20, "pgd": AT < 30}
    # a cascade: of the 20 that stand after the first, the second breaks none and has not met the others
    tried = {"clean": AT < N, "fgsm": AT < 36, "pgd": AT < 20}
    judged = Judged(
        shown="here",
        terms={"threat": "linf eps 0.1", "images": "x", "attacks": "y"},
        right=right,
        tried=tried,
        last=Scores(0.6, 0.3, N),
    )
    cost = {
        "train_seconds": 10.0,
        "student_forwards": 1e6,
        "student_backwards": 2e6,
        "teacher_forwards": 4e6,
        "teacher_backwards": 8e6,
    }
    history = History(
        clean=np.array([0.9, 0.5, 0.7, 0.7]),
        robust=np.array([0.4, 0.6, 0.6, 0.6]),
        loss=np.zeros(4),
        cost=cost,
    )
    material = Material(rows=[Row(name="a", seed=0, folder=Path("a"), judged=judged, history=history)])
    shown = line(material)
    assert (float(shown["clean"]), float(shown["robust"])) == (0.9, 0.5)
    assert (float(shown["attack.fgsm"]), float(shown["attack.pgd"])) == (0.5, 0.9)
    assert (int(shown["tried.fgsm"]), int(shown["tried.pgd"])) == (36, 20)
    assert (int(judged.broken("fgsm").sum()), int(judged.broken("pgd").sum())) == (16, 0)
    # the cleanest of the most robust epochs, the first of those
    assert (shown["best_epoch"], shown["epochs"]) == ("3", "4")
    heads, [(_, cells)] = methods(material)
    assert dict(zip(heads, [one.text for one in cells], strict=True))["passes"] == "15 M"
