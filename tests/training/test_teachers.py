"""Where teachers come from, and the gate."""

from __future__ import annotations

import logging

import pytest
import torch

import advkd
from advkd.networks import weights
from advkd.training.teachers import cache, cached


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ADVKD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "teachers"


def stages(run, folder):
    """The stages a training went through."""
    seen = []
    advkd.train(run, out=folder, reporters=[lambda record: seen.append(record.stage)])
    return list(dict.fromkeys(seen))


def test_one_teacher_is_trained_once_and_shared(tiny, tmp_path, own_cache):
    assert cache() == own_cache
    assert stages(advkd.resolve(*tiny, "preset=rslad", "epochs=1"), tmp_path / "a") == ["teacher", "student"]
    assert stages(advkd.resolve(*tiny, "preset=ard", "epochs=2"), tmp_path / "b") == ["student"]
    other = advkd.resolve(*tiny, "preset=ard", "epochs=1", "teacher.seed=1")
    assert stages(other, tmp_path / "c") == ["teacher", "student"]


def test_a_teachers_training_goes_on_where_it_was_stopped(tiny, tmp_path, own_cache):
    run = advkd.resolve(*tiny, "preset=rslad", "epochs=1")

    def stop(record):
        if record.stage == "teacher" and record.name == "train.loss" and record.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        advkd.train(run, out=tmp_path / "a", reporters=[stop])
    epochs = []
    advkd.train(run, out=tmp_path / "b", reporters=[lambda r: epochs.append((r.stage, r.epoch))])
    assert min(epoch for stage, epoch in epochs if stage == "teacher") == 2


def test_a_damaged_cached_teacher_is_trained_again(tiny, tmp_path, own_cache, caplog):
    run = advkd.resolve(*tiny, "preset=rslad", "epochs=1")
    advkd.train(run, out=tmp_path / "a")
    (path,) = own_cache.glob("*/student.safetensors")
    path.write_bytes(path.read_bytes()[:500])
    with caplog.at_level(logging.WARNING, "advkd"):
        assert stages(run, tmp_path / "b") == ["teacher", "student"]
    assert "damaged" in caplog.text


def test_a_cached_teacher_of_another_engine_is_taken_and_said(tiny, tmp_path, own_cache, caplog):
    words = (*tiny, "preset=rslad", "epochs=1")
    with caplog.at_level(logging.WARNING, "advkd"):
        advkd.train(advkd.resolve(*words), out=tmp_path / "a")
        stages(advkd.resolve(*words, "precision=float32"), tmp_path / "b")
        assert not caplog.text
        assert stages(advkd.resolve(*words, "precision=bf16"), tmp_path / "c") == ["student"]
    assert "the cached teacher was trained with bf16 false, compiled false" in caplog.text


def test_what_is_left_of_a_cached_teacher_is_replaced(tiny, tmp_path, own_cache):
    run = advkd.resolve(*tiny, "preset=rslad", "epochs=1")
    advkd.train(run, out=tmp_path / "a")
    (path,) = own_cache.glob("*/student.safetensors")
    path.unlink()
    assert list(path.parent.iterdir())
    assert stages(run, tmp_path / "b") == ["teacher", "student"]
    assert stages(run, tmp_path / "c") == ["student"]


def test_a_teacher_by_a_file_of_a_preset_stays_in_the_cache(tiny, tmp_path, own_cache):
    file = tmp_path / "mine.yaml"
    file.write_text("extends: standard\n")
    run = advkd.resolve(*tiny, "preset=rslad", "epochs=1", f"teacher.preset={file}")
    assert cached(run).parent == own_cache


def test_a_run_folder_is_a_teacher(tiny, tmp_path):
    advkd.train(advkd.resolve(*tiny, "preset=standard"), out=tmp_path / "teacher")
    # words that belong to a trained teacher do not apply to a loaded one
    words = [word for word in tiny if not word.startswith("teacher")]
    run = advkd.resolve(*words, "preset=rslad", "epochs=1", f"teacher={tmp_path / 'teacher'}")
    assert advkd.train(run, out=tmp_path / "student").teacher.clean > 0.5


def test_a_teacher_near_chance_is_refused_before_any_training(tiny, tmp_path):
    run = advkd.resolve(*tiny, "preset=rslad")
    with pytest.raises(advkd.AdvkdError, match="near chance"):
        advkd.train(run, teacher=run.student(10, (1, 8, 8)), out=tmp_path / "a")
    assert not (tmp_path / "a" / "student.safetensors").exists()


def test_a_teacher_far_below_its_record_is_refused_and_normalisation_named(tiny, tmp_path):
    advkd.train(advkd.resolve(*tiny, "preset=standard", "epochs=8"), out=tmp_path / "t")
    state, about = weights.read(tmp_path / "t" / "student.safetensors", "test")
    about["validation"]["clean"] = 0.999
    about["model"]["mean"] = [0.5]
    state["normalise.mean"] = torch.full_like(state["normalise.mean"], 0.35)
    weights.write(tmp_path / "shifted.safetensors", state, about)
    words = [word for word in tiny if not word.startswith("teacher")]
    run = advkd.resolve(*words, "preset=rslad", f"teacher={tmp_path / 'shifted.safetensors'}")
    with pytest.raises(advkd.AdvkdError, match=r"(?s)its record says 99.9 %.*wrong normalisation"):
        advkd.train(run, out=tmp_path / "s")


def test_the_teacher_is_left_as_it_was(tiny, tmp_path):
    teacher = advkd.train(advkd.resolve(*tiny, "preset=standard"), out=tmp_path / "t").net
    before = {k: v.clone() for k, v in teacher.state_dict().items()}
    advkd.train(advkd.resolve(*tiny, "preset=adaad", "epochs=1"), teacher=teacher, out=tmp_path / "s")
    assert all(torch.equal(v, before[k]) for k, v in teacher.state_dict().items())
    assert not teacher.training
    assert all(p.grad is None for p in teacher.parameters())
