"""What a view answers, in which mode, and what it costs."""

from __future__ import annotations

import torch
from one_step import step_of
from torch.testing import assert_close

from advkd.types import Path
from advkd.view import View


def path_of(batch) -> Path:
    return Path(torch.stack([batch.x, batch.x * 0.9, batch.x * 0.8]), batch.y)


def test_each_point_is_forwarded_once_lazily_in_eval_mode_without_gradient(student, teacher, batch, threat):
    modes = []
    student.register_forward_hook(lambda module, *_: modes.append(module.training))
    view = View(path_of(batch), step_of(student, teacher, threat))
    assert modes == []
    first = view.at("student", 1)
    view.at("student", -2)
    assert modes == [False]
    assert student.training
    assert not first.requires_grad
    everything = view.logits("student")
    assert modes == [False] * 3
    student.eval()
    wanted = torch.stack([student(x) for x in view.path.x])
    assert_close(everything, wanted.detach(), rtol=0, atol=1e-12)


def test_start_answers_are_shared_by_the_branches_of_a_step(student, teacher, batch, threat):
    asked = []
    teacher.register_forward_hook(lambda *_: asked.append(1))
    step = step_of(student, teacher, threat)
    for _ in range(2):
        View(path_of(batch), step).at("teacher", 0)
    assert len(asked) == 1


def test_only_limits_and_shares(student, teacher, batch, threat):
    asked = []
    teacher.register_forward_hook(lambda *_: asked.append(1))
    view = View(path_of(batch), step_of(student, teacher, threat))
    part = view.only({2})
    assert not part.logits("teacher")[:2].any()
    assert len(asked) == 1
    view.at("teacher", 2)
    assert len(asked) == 1


def test_what_the_attack_asked_is_not_asked_again(student, teacher, batch, threat):
    path = path_of(batch)
    known = torch.ones(6, 5, dtype=torch.float64)
    view = View(Path(path.x, path.y, None, {1: known}), step_of(student, teacher, threat))
    assert view.at("student", 1) is known
