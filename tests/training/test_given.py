"""A student, a teacher and data of the caller's: what a run that goes on, and its teacher, are held to."""

from __future__ import annotations

import pytest
import torch
from parts import small_net
from torch.utils.data import TensorDataset

import advkd
from advkd.errors import Interrupted
from advkd.training import teachers


@pytest.fixture
def sets():
    digits = advkd.resolve("preset=standard").data
    return tuple(TensorDataset(1 - part.x, part.y) for part in (digits.open("train"), digits.open("test")))


def stopped(run, folder, **given):
    def stop(record):
        if record.name == "epoch.seconds" and record.stage == "student" and record.epoch == 1:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        advkd.train(run, out=folder, reporters=[stop], **given)


@pytest.mark.parametrize("name", ["data", "teacher", "student"])
def test_a_run_does_not_go_on_without_what_it_was_given(name, sets, tiny, tmp_path):
    run = advkd.resolve(*tiny, "preset=rslad")
    teacher = advkd.train(advkd.resolve(*tiny, "preset=standard"), out=tmp_path / "teacher").net
    given = {"data": sets, "teacher": teacher, "student": small_net(3, classes=10).float()}[name]
    stopped(run, tmp_path / "run", **{name: given})
    with pytest.raises(advkd.AdvkdError, match=f"begun with other {name}"):
        advkd.resume(tmp_path / "run")
    assert advkd.resume(tmp_path / "run", **{name: given}).folder == tmp_path / "run"


def test_a_run_does_not_go_on_with_what_it_was_not_given(sets, tiny, tmp_path):
    stopped(advkd.resolve(*tiny, "preset=standard"), tmp_path / "run")
    with pytest.raises(advkd.AdvkdError, match="begun with other data"):
        advkd.resume(tmp_path / "run", data=sets)


def test_test_images_that_do_not_fit_are_told_before_training(sets, tiny, tmp_path):
    train, test = sets
    for wrong, says in (
        (TensorDataset(test.tensors[0], test.tensors[1] + 1), "labels must lie between 0 and 9"),
        (TensorDataset(test.tensors[0][..., :4], test.tensors[1]), "another shape"),
    ):
        with pytest.raises(advkd.AdvkdError, match=rf"data\.test: .*{says}"):
            advkd.train(advkd.resolve(*tiny, "preset=standard"), data=(train, wrong), out=tmp_path / "run")
        assert not list((tmp_path / "run").glob("student*"))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (lambda one: one, "data: is not a data source"),
        (lambda one: (one, one, one), "data: is no pair of data sets"),
        (
            lambda one: (counted_from_one(one), one),
            r"(?s)data.train: no image of 1 of 11 classes.*none of class 0",
        ),
    ],
)
def test_data_of_another_form_is_told_before_training(sets, data, says, tiny, tmp_path):
    with pytest.raises(advkd.AdvkdError, match=says):
        advkd.train(advkd.resolve(*tiny, "preset=pgd-at"), data=data(sets[0]), out=tmp_path / "a")


def counted_from_one(data):
    return [(x, int(y) + 1) for x, y in data]


def test_a_teacher_is_not_shared_with_other_images(sets, tiny, tmp_path):
    run = advkd.resolve(*tiny, "preset=rslad", "epochs=1")
    own = advkd.train(run, data=sets, out=tmp_path / "own")
    configured = advkd.train(run, out=tmp_path / "configured")
    assert own.teacher.clean != configured.teacher.clean
    kept = {path.name for path in teachers.cache().iterdir() if path.is_dir()}
    assert teachers.cached(run).name in kept
    assert any(name.startswith(f"{teachers.cached(run).name}-") for name in kept)


def test_an_audit_of_a_run_with_data_of_its_own_asks_for_them(sets, tiny, tmp_path):
    stopped(advkd.resolve(*tiny, "preset=standard"), tmp_path / "run", data=sets)
    from advkd.auditing.case import resolve_case

    with pytest.raises(advkd.AdvkdError, match="given data in Python"):
        resolve_case(str(tmp_path / "run"))


@pytest.mark.parametrize("classes", [5, 12])
def test_a_student_with_other_classes_than_the_data_is_refused(classes, tiny, tmp_path):
    run = advkd.resolve(*tiny, "preset=standard")
    net = small_net(3, classes=classes).float()
    with pytest.raises(advkd.AdvkdError, match=f"student: answers with {classes} classes, the data has 10"):
        advkd.train(run, student=net, out=tmp_path / "run")


def test_a_student_that_is_its_own_frozen_teacher_is_refused(sets, tiny, tmp_path):
    net = advkd.train(advkd.resolve(*tiny, "preset=standard"), data=sets, out=tmp_path / "t").net
    run = advkd.resolve(*tiny, "preset=ard")
    with pytest.raises(advkd.AdvkdError, match="student: has no parameter to train"):
        advkd.train(run, student=net, teacher=net, data=sets, out=tmp_path / "run")


def test_a_student_that_replaces_its_numbers_is_refused_after_its_first_step(tiny, tmp_path):
    class Replaces(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.last = torch.nn.Linear(64, 10)
            self.register_buffer("mean", torch.zeros(64))

        def forward(self, x):
            if self.training:
                self.mean = 0.9 * self.mean + 0.1 * x.flatten(1).detach().mean(0)
            return self.last(x.flatten(1) - self.mean)

    run = advkd.resolve(*tiny, "preset=pgd-at", "epochs=1")
    with pytest.raises(advkd.AdvkdError, match=r"^student: replaces parameters (?s:.*)in place"):
        advkd.train(run, student=Replaces(), out=tmp_path / "run")
