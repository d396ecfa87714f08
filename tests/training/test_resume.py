"""Killed in the middle of an epoch and resumed equals uninterrupted, bit for bit."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import advkd
from advkd.api import resume
from advkd.networks import weights

KILLED = Path(__file__).with_name("killed.py")
TIMES = ("train.images_per_second", "epoch.seconds", "train.epochs")


def measured(folder: Path) -> list[dict]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    return [r for r in records if r["stage"] == "student" and r["name"] not in TIMES]


def state(folder: Path, name: str) -> dict[str, torch.Tensor]:
    return weights.read(folder / name, "test")[0]


def same_bits(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[k], two[k]) for k in one)


@pytest.mark.parametrize(
    "words",
    [
        ("preset=path-dual", "method.branch_bn=split", "augment={crop: 1, flip: true}"),
        ("preset=trades", "optimizer.name=adamw", "optimizer.lr=0.01", "schedule.name=cosine"),
        ("preset=pgd-at", "schedule={name: steps, milestones: [0.3, 0.6]}", "optimizer.nesterov=true"),
        ("preset=rslad", "+modifiers.awp={since: 1/3}", "+modifiers.ema={}"),
        ("preset=path-single", "+modifiers.swa={since: 0}", "augment={crop: 1, flip: true}"),
    ],
    ids=["split norms, one-cycle", "adamw, cosine", "nesterov, steps", "awp and ema", "swa"],
)
def test_killed_and_resumed_is_uninterrupted(words, tiny, tmp_path):
    words = (*tiny, *words)
    whole = advkd.train(advkd.resolve(*words), out=tmp_path / "whole")
    ended = subprocess.run([sys.executable, KILLED, tmp_path / "killed", *words], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed" / "result.json").exists()
    again = resume(tmp_path / "killed")
    for name in ("student.safetensors", "student-last.safetensors"):
        assert same_bits(state(tmp_path / "whole", name), state(tmp_path / "killed", name))
    one, two = (state(tmp_path / run, "checkpoint.safetensors") for run in ("whole", "killed"))
    assert same_bits(one, two)
    assert measured(tmp_path / "whole") == measured(tmp_path / "killed")
    assert (whole.clean, whole.robust) == (again.clean, again.robust)
    counts = [name for name in whole.cost if name.endswith(("_forwards", "_backwards"))]
    assert len(counts) == 4
    assert [whole.cost[name] for name in counts] == [again.cost[name] for name in counts]
    assert again.cost["seconds"] > again.cost["train_seconds"]


def test_a_run_stopped_before_its_first_checkpoint_starts_over(tiny, tmp_path):
    run = advkd.resolve(*tiny, "preset=standard")

    def stop(record):
        if record.name == "step.loss":
            raise KeyboardInterrupt

    with pytest.raises(advkd.errors.Interrupted) as stopped:
        advkd.train(run, out=tmp_path / "run", reporters=[stop])
    assert stopped.value.folder == tmp_path / "run"
    again = resume(tmp_path / "run")
    whole = advkd.train(run, out=tmp_path / "whole")
    assert same_bits(again.net.state_dict(), whole.net.state_dict())


def test_a_truncated_checkpoint_is_an_error_and_loses_nothing(tiny, tmp_path):
    run = advkd.resolve(*tiny, "preset=standard")
    advkd.train(run, out=tmp_path / "run")
    (tmp_path / "run" / "result.json").unlink()
    path = tmp_path / "run" / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    before = (tmp_path / "run" / "student.safetensors").read_bytes()
    with pytest.raises(advkd.AdvkdError, match="cut short"):
        resume(tmp_path / "run")
    assert (tmp_path / "run" / "student.safetensors").read_bytes() == before


def test_a_folder_begun_again_holds_no_student_of_before(tiny, tmp_path):
    (tmp_path / "run").mkdir()
    run = advkd.resolve(*tiny, "preset=standard")
    (tmp_path / "run" / "run.yaml").write_text("preset: standard\n")
    before = ("student.safetensors", "student-last.safetensors", "metrics.jsonl")
    for name in before:
        (tmp_path / "run" / name).write_bytes(b"of before")

    def stop(record):
        raise KeyboardInterrupt

    with pytest.raises(advkd.errors.Interrupted):
        advkd.train(run, out=tmp_path / "run", reporters=[stop])
    left = [tmp_path / "run" / name for name in before]
    assert not any(file.exists() and file.read_bytes() == b"of before" for file in left)


def test_a_checkpoint_that_is_another_file_is_told(tiny, tmp_path):
    run = advkd.resolve(*tiny, "preset=standard")
    advkd.train(run, out=tmp_path / "run")
    (tmp_path / "run" / "result.json").unlink()
    shutil.copy(tmp_path / "run" / "student.safetensors", tmp_path / "run" / "checkpoint.safetensors")
    with pytest.raises(advkd.AdvkdError, match="the checkpoint belongs to another run"):
        resume(tmp_path / "run")
