"""Of several audits of one student the page shows the fullest, however new another one is."""

from __future__ import annotations

import json
import os
import shutil
import time

import numpy as np
import pytest

from advkd.reporting.gather import gathered
from advkd.reporting.reading import evaluations


@pytest.fixture
def cell(compared, tmp_path):
    """A student with an audit, to be given others."""
    return shutil.copytree(min((compared / "cells").iterdir()), tmp_path / "cell")


def another(cell, name, n=60, attacks=99, **options):
    """A second, newer audit beside that of a cell: on its first `n` images, by its first few attacks."""
    audit = next((cell / "eval").glob("quick*"))
    other = shutil.copytree(audit, cell / "eval" / name)
    content = json.loads((other / "result.json").read_text())
    content |= {"n_test": n, "options": {**content["options"], **options}}
    (other / "result.json").write_text(json.dumps(content))
    with np.load(audit / "examples.npz") as file:
        content = {key: file[key] if key == "about" else file[key][:n] for key in file.files}
    about = json.loads(str(content["about"]))
    about["entries"] = [entry for entry in about["entries"] if entry[0] == "student"][: 1 + attacks]
    content["about"] = np.array(json.dumps(about))
    np.savez(other / "examples.npz", **content)
    later = time.time() + 60
    os.utime(other / "result.json", (later, later))
    return other


@pytest.mark.parametrize(
    "less",
    [{"n": 20}, {"attacks": 1}, {"part": "validation"}, {"part": "validation", "name": "a"}],
    ids=["fewer images", "fewer attacks", "validation", "validation, first by name"],
)
def test_a_newer_audit_that_is_less_full_does_not_take_the_page(cell, less):
    first = gathered([cell]).judged
    another(cell, **{"name": "zz", **less})
    found = evaluations(cell)
    assert len(found) == 3
    assert gathered([cell]).judged.audit == first.audit


def test_more_images_outweigh_more_attacks(cell):
    another(cell, "few", n=20)
    another(cell, "many", attacks=1)
    shutil.rmtree(next((cell / "eval").glob("quick*")))
    assert len(gathered([cell]).judged.attacks) == 1
    assert [len(one.right["clean"]) for one in evaluations(cell)[:2]] == [60, 20]


def test_of_two_alike_the_name_decides_not_the_time(cell):
    another(cell, "zz", budget=1)
    assert gathered([cell]).judged.audit["options"]["budget"] is None
