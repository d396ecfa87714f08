"""Every preset resolves in every setting, trains two steps, and goes on exactly."""

from __future__ import annotations

import pytest
import torch

import advkd
from advkd.api import resume
from advkd.networks import weights
from advkd.registry import entries

PRESETS, SETTINGS = list(entries("presets")), list(entries("settings"))
MINIMUM = (
    "split.train=260",
    "split.test=40",
    "split.validation=0.5",
    "batch_size=64",
    "epochs=2",
    "student.width=4",
    "teacher.preset=standard",
    "teacher.batch_size=16",
    "teacher.epochs=12",
    "evaluation.pgd-20.steps=2",
    "evaluation.pgd-20.restarts=1",
    "evaluation.cw-linf.steps=2",
)


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("preset", PRESETS)
def test_resolves_in_every_setting(preset, setting):
    more = ["data.path=images"] if setting == "folder" else []
    run = advkd.resolve(f"preset={preset}", f"setting={setting}", *more)
    assert (run.preset, run.setting) == (preset, setting)
    assert run.teacher is not None


@pytest.mark.parametrize("preset", PRESETS)
def test_trains_two_steps_and_resumes_exactly(preset, tmp_path):
    run = advkd.resolve(f"preset={preset}", *MINIMUM)
    whole = advkd.train(run, out=tmp_path / "whole")
    assert whole.cost["student_forwards"] > 0
    assert ("teacher" in run.nets) == (whole.teacher is not None)

    def stop(record):
        if record.stage == "student" and record.name == "step.loss" and record.epoch == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        advkd.train(run, out=tmp_path / "stopped", reporters=[stop])
    resume(tmp_path / "stopped")
    one, two = (
        weights.read(tmp_path / name / "checkpoint.safetensors", "test")[0] for name in ("whole", "stopped")
    )
    assert one.keys() == two.keys()
    assert all(torch.equal(one[key], two[key]) for key in one)


@pytest.mark.parametrize("preset", PRESETS)
def test_has_a_card(preset):
    from advkd.registry.sources import source_of

    source = source_of(entries("presets")[preset][0])
    card = (source.file.parent / "README.md").read_text(encoding="utf-8")
    assert f"`{preset}`" in card
