"""A comparison from its command to its report: cells, killing, jobs, failures."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from compare_parts import SMALL, WORDS, audit_of, changes, command, table

import advkd
from advkd import AdvkdError
from advkd.errors import Interrupted
from advkd.splits import split
from advkd.training.folder import written
from advkd.training.teachers import of_run

HERE = Path(__file__).parent


def test_leaves_verdicts_table_and_report(done):
    found = json.loads((done / "result.json").read_text())
    assert [(row["name"], row["seed"], row["state"]) for row in found["rows"]] == [
        ("path-dual", 0, "done"),
        ("rslad", 0, "done"),
        ("path-dual", 1, "done"),
        ("rslad", 1, "done"),
    ]
    assert (found["n"], found["threat"], found["on"]) == (60, "linf eps 0.2", "test")
    assert [(v["a"], v["b"], v["indicative"]) for v in found["methods"]] == [("path-dual", "rslad", True)]
    assert [v["seed"] for v in found["students"]] == [0, 1]
    assert 0 < found["teacher"]["clean"] <= 1
    assert "highest mean robust accuracy" in found["headline"]
    assert found["command"].startswith("advkd compare presets=path-dual,rslad")
    assert "<table" in (done / "report.html").read_text()


def test_verdicts_are_recomputed_from_the_bits(done):
    found = json.loads((done / "result.json").read_text())
    with np.load(audit_of(done, 0) / "examples.npz") as a, np.load(audit_of(done, 1) / "examples.npz") as b:
        names = ("student.clean", "student.fgsm", "student.pgd-5")
        left, right = (np.all([bits[name] for name in names], axis=0) for bits in (a, b))
    pair = found["students"][0]
    assert (pair["only_a"], pair["only_b"]) == (int((left & ~right).sum()), int((right & ~left).sum()))


def test_verdicts_on_clean_accuracy_are_recomputed_from_the_clean_bits(done):
    found = json.loads((done / "result.json").read_text())
    for pair, first in zip(found["clean"]["students"], (0, 2), strict=True):
        left, right = (
            np.load(audit_of(done, row) / "examples.npz")["student.clean"] for row in (first, first + 1)
        )
        assert (pair["only_a"], pair["only_b"]) == (int((left & ~right).sum()), int((right & ~left).sum()))


def test_the_teacher_beside_the_students_is_the_teacher(done):
    found = json.loads((done / "result.json").read_text())
    run, _ = written(done / found["rows"][0]["folder"], "run")
    teacher, student = of_run(run).place, done / found["rows"][0]["folder"]
    images = split(run.data, run.split).test()
    clean = [
        (advkd.load(path)(images.x).argmax(1) == images.y).double().mean().item()
        for path in (teacher, student)
    ]
    assert found["teacher"]["clean"] == clean[0]
    assert clean[0] != clean[1]


def test_verdicts_on_clean_accuracy_are_shown(done):
    found = json.loads((done / "result.json").read_text())["clean"]
    text = (done / "report.md").read_text()
    for kind, number in (("methods", 2), ("students", 0)):
        table = text[text.index(f"| these {kind}, clean accuracy |") :]
        apart = f"{100 * found[kind][0]['difference']:+.2f}"
        assert f"| path-dual and rslad | {number} | {apart} |" in table
    assert "These methods, clean accuracy" in (done / "report.html").read_text()
    # they are no part of what is said first
    assert "## These methods, clean accuracy" not in text


def test_cells_of_a_comparison_share_all_but_the_method(done):
    cells = sorted((done.parent / "cells").glob("*-0/run.yaml"))
    one, two = ([line for line in cell.read_text().splitlines() if line[:1] != " "] for cell in cells)
    differ = {line.split(":")[0] for line in {*one} ^ {*two}}
    assert differ == {"hash", "preset"}


def test_the_same_command_makes_nothing_again(done):
    before, rows = changes(done.parent / "cells"), table(done)
    advkd.compare(*WORDS, out=done)
    assert changes(done.parent / "cells") == before
    assert table(done) == rows


def test_another_comparison_beside_it_takes_its_cells(done):
    before = changes(done.parent / "cells")
    found = advkd.compare("presets=rslad,ard", "seeds=0,1", *SMALL, out=done.parent / "more")
    after = changes(done.parent / "cells")
    assert before.items() <= after.items()
    assert len(after) == len(before) + 4
    assert found.ranked


def test_a_folder_of_another_comparison_is_refused(done):
    with pytest.raises(AdvkdError, match="holds another comparison, which differs in cells, seeds"):
        advkd.compare("presets=path-dual,rslad", "seeds=0,1,2", *SMALL, out=done)


def test_a_folder_of_a_run_is_refused(done):
    cell = next((done.parent / "cells").glob("*-0"))
    with pytest.raises(AdvkdError, match="is the folder of a run"):
        advkd.compare(*WORDS, out=cell)


def test_killed_and_run_again_equals_uninterrupted(done, tmp_path):
    folder = tmp_path / "killed" / "it"
    words = [sys.executable, str(HERE / "killed.py"), str(folder), *WORDS, "jobs=2"]
    assert subprocess.run(words, check=False, capture_output=True).returncode == -signal.SIGKILL
    before = changes(folder.parent / "cells")
    assert len(before) >= 4
    # processes that outlive the kill would hold the folders they write to
    advkd.compare(*WORDS, out=folder)
    assert before.items() <= changes(folder.parent / "cells").items()
    assert table(folder) == table(done)


def test_jobs_make_the_same(done, tmp_path):
    advkd.compare(*WORDS, "seeds=0", "jobs=2", out=tmp_path / "parallel")
    assert table(tmp_path / "parallel") == table(done)[:2]


def test_processes_do_not_wait_for_one_of_them_to_train_the_teacher(tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO", "advkd")
    monkeypatch.setenv("ADVKD_CACHE", str(tmp_path / "cache"))
    there = []

    def begun(*args):
        there.extend((tmp_path / "cache").glob("teachers/*/student.safetensors"))
        raise KeyboardInterrupt

    monkeypatch.setattr("advkd.comparing.pool.ProcessPoolExecutor", begun)
    with pytest.raises(Interrupted):
        advkd.compare(*WORDS, "seeds=0", "jobs=2", out=tmp_path / "parallel")
    assert len(there) == 1
    assert caplog.text.count("training the teacher, which is not in the cache yet") == 1


def test_a_cell_that_fails_is_told_and_the_rest_go_on(tmp_path):
    words = (
        "presets=pgd-at,bad:trades",
        "bad.method.branches.untargeted.terms.clean.loss=failing",
        "seeds=0",
        *SMALL,
        f"load={HERE / 'faulty.py'}",
        f"out={tmp_path / 'it'}",
    )
    status, said = command(*words)
    assert status == 1
    assert "bad, seed 0: loss failing: ZeroDivisionError: planted" in said
    assert "faulty.py:19, in __call__" in said
    rows = json.loads((tmp_path / "it" / "result.json").read_text())["rows"]
    assert [row["state"] for row in rows] == ["done", "failed"]
    assert "planted" in (tmp_path / "it" / "report.html").read_text()


def test_ablations_leave_the_test_images_closed(tmp_path):
    words = ("preset=pgd-at", "vary=epochs:1,2", "seeds=0", *SMALL, "data=closed", f"out={tmp_path / 'it'}")
    status, said = command(*words, f"load={HERE / 'faulty.py'}")
    assert status == 0, said
    found = json.loads((tmp_path / "it" / "result.json").read_text())
    assert (found["on"], found["n"]) == ("validation", 41)
    assert found["differences"] == ["epochs: 1 for epochs=1; 2 for epochs=2"]


def test_audits_of_cells_do_not_say_where_on_this_machine_they_were_made(done):
    files = list((done.parent / "cells").rglob("eval/*/result.json"))
    targets = {json.loads(file.read_text())["options"]["target"] for file in files}
    assert targets == {file.parents[2].name for file in files} != set()
    assert not [file for file in files if str(done.parent) in file.read_text()]


def test_dry_leaves_out_what_is_trained_already(done):
    status, said = command("dry=true", *WORDS, "seeds=0,1,2", f"out={done.parent / 'more seeds'}")
    assert (status, (done.parent / "more seeds").exists()) == (0, False)
    assert "4 of 6 cells are trained already" in said
