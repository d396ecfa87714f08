"""What a run is called after: its configuration, and the teacher that another one has in common with it."""

from __future__ import annotations

import pytest
from parts import resolved

import advkd
from advkd.config.resolve import from_raw, teacher_run
from advkd.registry import entries


@pytest.mark.parametrize("setting", ["digits", "cifar10"])
@pytest.mark.parametrize("preset", entries("presets"))
def test_a_resolved_run_resolves_to_itself(preset, setting):
    run = advkd.resolve(f"preset={preset}", f"setting={setting}")
    again = from_raw(dict(run.resolved))
    assert again.hash == run.hash
    assert again.resolved == run.resolved


def test_hash_knows_the_configuration_and_nothing_else():
    base = resolved().hash
    assert resolved("seed=3", "device=cpu").hash == base
    assert resolved("epochs=30").hash == base
    changes = [
        "epochs=31",
        "optimizer.lr=0.3",
        "threat.eps=0.1",
        "split.seed=1",
        "method.total=2",
        "teacher.seed=1",
    ]
    assert len({base, *(resolved(word).hash for word in changes)}) == len(changes) + 1


def test_tuning_the_student_never_changes_its_teacher():
    base = teacher_run(resolved()).hash
    student = ["epochs=3", "optimizer.lr=0.3", "batch_size=7", "augment.crop=2", "student.width=4", "seed=5"]
    assert teacher_run(resolved(*student)).hash == base
    assert teacher_run(advkd.resolve("preset=rslad")).hash == base
    for word in ("teacher.epochs=3", "teacher.optimizer.lr=0.3", "threat.eps=0.1", "split.train=500"):
        assert teacher_run(resolved(word)).hash != base


def test_how_a_student_is_chosen_does_not_choose_its_teacher():
    robust = teacher_run(advkd.resolve("preset=rslad"))
    for words in (
        ("preset=kd",),
        ("preset=rslad", "validation.steps=5"),
        ("preset=rslad", "validation=clean"),
    ):
        assert teacher_run(advkd.resolve(*words)).hash == robust.hash
    assert robust.resolved["validation"]["use"] == "pgd"
    # nor does saying nothing of it change what a run and its teacher are called
    assert "validation" not in advkd.resolve("preset=rslad").resolved["teacher"]
    for words in (("preset=rslad",), ("preset=kd",)):
        standard = teacher_run(advkd.resolve(*words, "teacher.preset=standard"))
        assert standard.resolved["validation"] == {"use": "clean"}
    named = teacher_run(advkd.resolve("preset=kd", "teacher.validation={use: fgsm}"))
    assert named.resolved["validation"]["use"] == "fgsm"


def test_a_path_is_a_teacher_file():
    for name in ("./runs/a", "weights.pt", "some/net.safetensors"):
        assert resolved(f"teacher={name}").resolved["teacher"]["path"] == name


def test_any_file_there_is_may_be_a_teacher(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.ckpt").touch()
    assert resolved("teacher=net.ckpt").resolved["teacher"]["path"] == "net.ckpt"
