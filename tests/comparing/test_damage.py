"""A comparison that is stopped ends at once; a damaged file costs one cell, and says what to do."""

import contextlib
import json
import logging
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from compare_parts import SMALL

import advkd
from advkd.training.folder import locked

WORDS = ("presets=pgd-at,trades", "seeds=0", *SMALL, "epochs=1")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """Nobody writes into it."""
    folder = tmp_path_factory.mktemp("whole") / "it"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ADVKD_CACHE", str(folder.parent / "cache"))
        advkd.compare(*WORDS, out=folder)
    return folder


@pytest.fixture
def copy(whole, tmp_path) -> Path:
    shutil.copytree(whole.parent, tmp_path / "copied")
    return tmp_path / "copied" / whole.name


def rows(folder):
    return json.loads((folder / "result.json").read_text())["rows"]


def test_ctrl_c_ends_all_processes_and_the_same_command_goes_on(tmp_path):
    folder = tmp_path / "stopped" / "it"
    code = "from advkd.cli import main; main()"
    words = [*WORDS, "seeds=0,1", "epochs=100000", "jobs=2", f"out={folder}"]
    with subprocess.Popen(
        [sys.executable, "-c", code, "compare", *words],
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            begun = time.monotonic()
            while len(list(folder.parent.glob("cells/*/checkpoint.*"))) < 2 and process.poll() is None:
                assert time.monotonic() - begun < 120
                time.sleep(0.1)
            os.killpg(process.pid, signal.SIGINT)
            # which ends when the last process that could still write has ended
            _, said = process.communicate(timeout=30)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130
    assert "stopped; go on with: the same command" in said
    assert "Traceback" not in said
    assert len(list(folder.parent.glob("cells/*/run.yaml"))) == 2


def test_processes_end_with_an_error_of_the_comparison(tmp_path):
    processes = []

    def fails(index, cell, made):
        processes.extend(multiprocessing.active_children())
        raise ZeroDivisionError("planted")

    with pytest.raises(ZeroDivisionError):
        advkd.compare(*WORDS, "seeds=0,1", "jobs=2", out=tmp_path / "it", told=fails)
    for process in processes:
        process.join(30)
    assert len(processes) == 2
    for process in processes:
        # not by its exit code: a thread of the pool may have asked for that first
        with pytest.raises(ProcessLookupError):
            os.kill(process.pid, 0)
    assert len(list(tmp_path.glob("cells/*/eval/*/result.json"))) < 4


@pytest.mark.parametrize("place", ["eval/*/examples.npz", "eval/*/result.json", "result.json"])
def test_a_damaged_file_costs_one_cell_and_is_made_again_once_it_is_removed(whole, copy, place):
    file = next((copy / rows(copy)[0]["folder"]).resolve().glob(place))
    file.write_bytes(file.read_bytes()[:100])
    found = advkd.compare(*WORDS, out=copy)
    assert [row["state"] for row in rows(copy)] == ["failed", "done"]
    assert str(file) in found.failed[0]
    assert "remove it" in found.failed[0]
    assert "run the same command again" in found.failed[0]
    assert "cannot be read" in (copy / "report.html").read_text()
    file.unlink()
    (file.parent / "result.json").unlink(missing_ok=True)
    advkd.compare(*WORDS, out=copy)
    assert rows(copy) == rows(whole)


def test_a_damaged_plan_may_be_removed(whole, copy):
    (copy / "comparison.yaml").write_text("a: [")
    with pytest.raises(advkd.AdvkdError, match="remove it and run the same command again"):
        advkd.compare(*WORDS, out=copy)
    (copy / "comparison.yaml").unlink()
    advkd.compare(*WORDS, out=copy)
    assert rows(copy) == rows(whole)


def test_the_folder_of_an_audit_and_that_of_the_cells_are_refused_before_anything_is_written(copy):
    audit = (copy / rows(copy)[0]["audit"]).resolve()
    before = {file: file.read_bytes() for file in copy.parent.rglob("*") if file.is_file()}
    cells = copy.parent / "cells"
    of_cells = "where comparisons keep their cells"
    for folder, says in ((audit, "the folder of an audit"), (cells, of_cells), (cells / "it", of_cells)):
        with pytest.raises(advkd.AdvkdError, match=f"out: is {says}"):
            advkd.compare(*WORDS, out=folder)
    after = {file: file.read_bytes() for file in copy.parent.rglob("*") if file.is_file()}
    assert before == after


def test_the_page_of_before_does_not_stay_where_every_cell_has_failed(copy):
    pages = [copy / name for name in ("report.html", "report.md", "table.csv")]
    assert all(page.exists() for page in pages)
    for row in rows(copy):
        (copy / row["audit"] / "result.json").write_text("{")
    found = advkd.compare(*WORDS, out=copy)
    assert len(found.failed) == 2
    assert not any(page.exists() for page in pages)


def test_out_may_be_the_folder_one_is_in(tmp_path, monkeypatch):
    folder = tmp_path / "it"
    folder.mkdir()
    monkeypatch.chdir(folder)
    found = advkd.compare(*WORDS, out=".")
    assert found.folder == folder
    assert all((folder / row["audit"]).is_dir() for row in rows(folder))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cells", "it"]
    assert (folder / "report.html").exists()


def test_a_cell_without_its_weights_is_not_told_to_go_on(copy):
    cell = (copy / rows(copy)[0]["folder"]).resolve()
    (cell / "student.safetensors").unlink()
    shutil.rmtree(cell / "eval")
    [said] = advkd.compare(*WORDS, out=copy).failed
    assert "its student.safetensors is gone" in said
    assert "remove the folder and run the same command again" in said
    assert "resume=" not in said
    shutil.rmtree(cell)
    assert not advkd.compare(*WORDS, out=copy).failed


@pytest.mark.parametrize("jobs", ["jobs=1", "jobs=2"])
def test_a_cell_that_another_process_writes_is_waited_for_and_taken_as_it_is(copy, jobs, monkeypatch, caplog):
    caplog.set_level(logging.INFO, "advkd")
    audit = (copy / rows(copy)[0]["audit"]).resolve()
    content = {name: (audit / name).read_bytes() for name in ("result.json", "examples.npz")}
    for name in content:
        (audit / name).unlink()
    other = locked(audit)
    other.__enter__()
    naps = []

    def sleep(seconds):
        naps.append(seconds)
        if len(naps) == 3:
            for name in content:
                (audit / name).write_bytes(content[name])
            other.__exit__(None, None, None)

    monkeypatch.setattr("advkd.comparing.waiting.time.sleep", sleep)
    told = []
    found = advkd.compare(*WORDS, jobs, out=copy, told=lambda index, cell, made: told.append(index))
    assert not found.failed
    assert [row["state"] for row in rows(copy)] == ["done", "done"]
    assert told == [1, 0]
    assert {name: (audit / name).read_bytes() for name in content} == content
    assert [text for text in caplog.messages if "waiting for" in text] == [
        f"waiting for {audit}, which another process is writing"
    ]


@pytest.mark.parametrize("text", ["null", "[]", "{"])
def test_a_damaged_note_of_origin_does_not_end_the_comparison(copy, text):
    (cell,) = copy.parent.glob("cells/trades-*")
    before = rows(copy)
    (cell / "origin.json").write_text(text)
    advkd.compare(*WORDS, out=copy)
    assert rows(copy) == before
