"""The command line, as its users run it."""

from __future__ import annotations

import json
import re
import resource
import signal
import subprocess
import sys

import pytest
from command import ADVKD, advkd
from parts import TINY

QUICK = [word for word in TINY if not word.startswith("teacher")]


@pytest.mark.parametrize("words", [["--help"], ["list"], ["list", "presets"], ["--version"]])
def test_answers_at_once(words):
    def seconds(*command: str) -> float:
        begin = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert subprocess.run(command, check=False, capture_output=True).returncode == 0
        end = resource.getrusage(resource.RUSAGE_CHILDREN)
        return end.ru_utime + end.ru_stime - begin.ru_utime - begin.ru_stime

    # the processor's time, and the best of some, since other work may share the machine and slow both alike
    bare = min(seconds(sys.executable, "-c", "pass") for _ in range(4))
    assert min(seconds(ADVKD, *words) for _ in range(4)) < max(0.5, 15 * bare)


def test_list_shows_every_slot_with_distribution():
    text = advkd("list").stdout
    for word in (
        "attacks",
        "paths",
        "weightings",
        "losses",
        "methods",
        "presets",
        "settings",
        "suites",
        "path-dual",
    ):
        assert re.search(rf"^{word}\b", text, re.MULTILINE)
    assert re.search(r"^pgd +Projected gradient ascent.* advkd 0", text, re.MULTILINE)


def test_a_slot_typed_wrong_suggests_the_right_one():
    done = advkd("list", "wieghtings")
    assert done.returncode == 2
    assert "nearest  weightings" in done.stderr


def test_show_member():
    text = advkd("show", "weighting", "boundary").stdout
    assert re.search(r"advkd/weightings/margin\.py:\d+", text)
    assert "CVPR 2024" in text
    assert re.search(r"kappa +real +0\.25", text)
    assert re.search(r"net +student \| teacher +'student'", text)


def test_show_evaluator_says_what_it_searches_knows_and_costs():
    text = " ".join(advkd("show", "evaluator", "square").stdout.split())
    assert "fixed-budget, black-box; at 10 classes an image costs at most: 5003 forward" in text
    assert "minimal-norm, white-box" in advkd("show", "evaluator", "fab-t").stdout


def test_show_preset_names_its_card():
    text = advkd("show", "preset", "path-dual").stdout
    assert "boundary" in text
    assert "path_dual/README.md" in text


def test_show_run_prints_values_hash_and_sum():
    text = advkd("show", "preset=rslad", "epochs=5").stdout
    assert "epochs: 5" in text
    assert re.search(r"^hash [0-9a-f]{8}$", text, re.MULTILINE)
    assert "sum of the scales as written 1;" in text


def test_an_error_is_one_message_and_status_two():
    done = advkd("run", "preset=rslad", "epohcs=3")
    assert done.returncode == 2
    assert "nearest  epochs" in done.stderr
    assert "Traceback" not in done.stderr
    debug = advkd("--debug", "run", "preset=rslad", "epohcs=3")
    assert debug.returncode == 2
    assert "Traceback" in debug.stderr
    assert debug.stderr.endswith(done.stderr)


def test_a_preset_file_that_is_not_there_is_told_its_neighbour(tmp_path):
    (tmp_path / "my-method.yaml").write_text("extends: standard\n")
    done = advkd("run", f"preset={tmp_path / 'mymethod.yaml'}")
    assert done.returncode == 2
    assert "nearest  my-method.yaml" in done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["eval", "~nobody-known/x.pt"], "target: no such file"),
        (["eval", "a" * 300], "path: File name too long"),
        (["run", "preset=standard", "student=" + "a" * 300], "path: File name too long"),
        (["run", "preset=~nobody-known/x.yaml"], "cannot be read: No such file"),
    ],
)
def test_words_that_can_be_no_file_end_in_a_message(words, says):
    done = advkd(*words)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_run_prints_lines_and_table_and_leaves_a_folder(tmp_path):
    done = advkd("run", "preset=standard", *QUICK, "out=here", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "epoch   3/3" in done.stdout
    assert re.search(r"student, best .* \d+\.\d to \d+\.\d", done.stdout)
    assert "student, last" in done.stdout
    assert "run folder: here" in done.stdout
    files = {path.name for path in (tmp_path / "here").iterdir()}
    wanted = (
        "run.yaml metrics.jsonl student.safetensors student-last.safetensors checkpoint.safetensors "
        "result.json examples.npz"
    )
    assert set(wanted.split()) <= files
    assert json.loads((tmp_path / "here" / "result.json").read_text())["preset"] == "standard"


def test_a_run_names_its_own_folder(tmp_path):
    done = advkd("run", "preset=standard", *QUICK, "epochs=1", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "runs").iterdir()
    assert re.fullmatch(r"\d{8}-\d{6}-standard-digits-[0-9a-f]{8}", folder.name)


def test_list_says_what_the_environment_leaves_out(tmp_path, monkeypatch):
    info = tmp_path / "late-1.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: late\nVersion: 1.5\n")
    (info / "entry_points.txt").write_text("[advkd.losses]\nlate = late:Late\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert "late 1.5" in advkd("list", "losses").stdout
    monkeypatch.setenv("ADVKD_PLUGINS", "")
    (line,) = [line for line in advkd("list", "losses").stdout.splitlines() if "late" in line]
    assert line == "left out by ADVKD_PLUGINS: late 1.5"


def test_ctrl_c_says_how_to_go_on_and_it_does(tmp_path):
    command = ["env", "OMP_NUM_THREADS=1", ADVKD, "run", "preset=pgd-at", *QUICK, "epochs=12", "out=x"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        # a shell's background jobs ignore Ctrl-C, and so would their children
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "epoch   2/12" in line:
            process.send_signal(signal.SIGINT)
            break
    _, errors = process.communicate()
    assert process.returncode == 130
    assert "go on with: advkd run resume=x" in errors
    assert "Traceback" not in errors
    done = advkd("run", "resume=x", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "epoch  12/12" in done.stdout
    assert "epoch   1/12" not in done.stdout
    assert advkd("run", "resume=x", "epochs=3", folder=tmp_path).returncode == 2
