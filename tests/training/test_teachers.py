"""Where teachers come from, and the gate."""

from __future__ import annotations

import logging
import re

import pytest
import torch
from torch import nn

import advkd
from advkd.networks import weights
from advkd.training.gate import guessing, near_chance
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


@pytest.mark.parametrize("damaged", [lambda content: content[:500], lambda content: bytes(len(content))])
def test_a_damaged_cached_teacher_is_trained_again(damaged, tiny, tmp_path, own_cache, caplog):
    run = advkd.resolve(*tiny, "preset=rslad", "epochs=1")
    advkd.train(run, out=tmp_path / "a")
    (path,) = own_cache.glob("*/student.safetensors")
    path.write_bytes(damaged(path.read_bytes()))
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


class Around(nn.Module):
    """A network behind something that happens to its images or to its logits."""

    def __init__(self, net, before=lambda x: x, after=lambda x: x):
        super().__init__()
        self.net, self.before, self.after = net, before, after

    def forward(self, x):
        return self.after(self.net(self.before(x)))


@pytest.fixture
def taught(tiny, tmp_path):
    return advkd.train(advkd.resolve(*tiny, "preset=standard"), out=tmp_path / "taught").net


@pytest.mark.parametrize(
    ("after", "says"),
    [
        (lambda x: x.softmax(1), "answers with probabilities"),
        (lambda x: (x, x), "does not answer with logits"),
        (lambda x: x[:, :7], "answers with 7 classes, the data has 10"),
        (lambda x: x * float("nan"), "answers with NaN or infinity"),
        (lambda x: 9.0 * torch.eye(10)[torch.zeros(len(x), dtype=torch.long)], "near chance"),
    ],
)
def test_answers_that_teach_nothing_are_named_before_training(taught, tiny, tmp_path, after, says):
    run = advkd.resolve(*tiny, "preset=rslad")
    with pytest.raises(advkd.AdvkdError, match=rf"^teacher: .*{says}"):
        advkd.train(run, teacher=Around(taught, after=after), out=tmp_path / "a")
    assert not (tmp_path / "a" / "student.safetensors").exists()


@pytest.mark.filterwarnings("ignore:`?torch.jit")
def test_a_program_takes_no_part_in_a_training_and_can_be_judged(taught, tiny, tmp_path):
    run = advkd.resolve(*tiny, "preset=rslad", "epochs=1")
    program = torch.jit.trace(taught, torch.rand(2, 1, 8, 8))
    for i, net in enumerate((program, Around(program))):
        for who in ("teacher", "student"):
            others = {"teacher": taught, who: net}
            with pytest.raises(advkd.AdvkdError, match=rf"^{who}: holds a TorchScript program"):
                advkd.train(run, **others, out=tmp_path / f"{i}{who}")
    digits = run.data.open("test").subset(torch.arange(20))
    assert advkd.audit(Around(program), digits, run.threat, suite="quick").clean > 0.5
    with pytest.raises(advkd.AdvkdError, match=r"(?s)^model: is a TorchScript program.*put it into"):
        advkd.audit(program, digits, run.threat, suite="quick")


def test_a_teacher_without_gradient_teaches_and_is_not_judged(taught, tiny, tmp_path, caplog):
    run = advkd.resolve(*tiny, "preset=rslad", "epochs=1")
    result = advkd.train(run, teacher=Around(taught, after=torch.Tensor.detach), out=tmp_path / "a")
    assert result.teacher is None
    assert {"clean", "fgsm"} < set(result.right)
    assert "the teacher is not judged: it passes no gradient" in caplog.text


def test_a_teacher_that_fails_when_it_is_attacked_is_refused_before_training(taught, tiny, tmp_path):
    def in_place(x):
        x -= 0.5
        return x + 0.5

    run = advkd.resolve(*tiny, "preset=rslad", "epochs=1")
    with pytest.raises(advkd.AdvkdError, match=r"^teacher: fails when its gradient is asked for"):
        advkd.train(run, teacher=Around(taught, before=in_place), out=tmp_path / "a")
    assert not (tmp_path / "a" / "student.safetensors").exists()


def test_a_file_that_does_not_name_its_model_is_told_where_it_was_typed(tiny, tmp_path):
    torch.save({"weight": torch.zeros(1)}, tmp_path / "mine.pt")
    words = [word for word in tiny if not word.startswith("student")]
    run = advkd.resolve(*words, "preset=standard", f"student={tmp_path / 'mine.pt'}")
    with pytest.raises(advkd.AdvkdError, match=r"(?s)^student\.model: .*student\.model=NAME"):
        advkd.train(run, out=tmp_path / "a")


def test_chance_is_the_share_of_the_commonest_class():
    uneven = torch.tensor([0] * 8 + [1, 2])
    assert guessing(uneven) == 0.8
    assert near_chance(0.8, guessing(uneven))
    assert not near_chance(0.83, guessing(uneven))
    assert not near_chance(0.8, guessing(torch.arange(10)))


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


def test_a_teacher_learns_nothing_and_is_measured(tiny, tmp_path, caplog):
    teacher = advkd.train(advkd.resolve(*tiny, "preset=standard"), out=tmp_path / "t").net
    before = {k: v.clone() for k, v in teacher.state_dict().items()}
    teacher.train()
    with caplog.at_level(logging.INFO, logger="advkd"):
        advkd.train(advkd.resolve(*tiny, "preset=adaad", "epochs=1"), teacher=teacher, out=tmp_path / "s")
    assert all(torch.equal(v, before[k]) for k, v in teacher.state_dict().items())
    assert not any(module.training for module in teacher.modules())
    assert all(p.grad is None and not p.requires_grad for p in teacher.parameters())
    (told,) = [text for text in caplog.messages if text.startswith("teacher")]
    assert re.fullmatch(
        r"teacher, of whose accuracy .*: right on \d+\.\d % of \d+ clean validation images", told
    )


def test_an_empty_word_moves_no_cache(monkeypatch):
    monkeypatch.setenv("ADVKD_CACHE", "")
    assert cache().is_absolute()


def test_an_unfinished_teacher_tells_of_its_engine(tiny, tmp_path, own_cache, caplog):
    def stop(record):
        if record.stage == "teacher" and record.name == "epoch.seconds" and record.epoch == 1:
            raise KeyboardInterrupt

    words = (*tiny, "preset=rslad", "epochs=1", "teacher.epochs=3")
    with pytest.raises(advkd.errors.Interrupted):
        advkd.train(advkd.resolve(*words, "precision=bf16"), out=tmp_path / "a", reporters=[stop])
    advkd.train(advkd.resolve(*words, "precision=float32"), out=tmp_path / "b")
    assert "the cached teacher was trained with bf16 true" in caplog.text
