"""How often, when and in which mode a step asks the student."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from one_step import method_of, run_step, step_of
from torch import Tensor, nn


def count_forwards(net: nn.Module, what: Callable[[], Any]) -> tuple[int, int]:
    """Forwards in train mode and in eval mode."""
    seen = []
    handle = net.register_forward_hook(lambda module, *_: seen.append(module.training))
    what()
    handle.remove()
    return sum(seen), len(seen) - sum(seen)


@pytest.mark.parametrize(
    ("preset", "trained"),
    [("rslad", 2), ("pgd-at", 1), ("trades", 2), ("mart", 2), ("path-end", 3), ("path-dual", 5)],
)
def test_one_train_mode_forward_per_point(preset, trained, student, teacher, batch, threat):
    step = step_of(student, teacher, threat)
    forwards = count_forwards(student, lambda: run_step(method_of(preset), batch, step))
    assert forwards[0] == trained


def test_paths_and_weights_come_before_any_train_mode_forward(student, teacher, batch, threat):
    modes: list[bool] = []
    student.register_forward_hook(lambda module, *_: modes.append(module.training))
    run_step(method_of("path-dual"), batch, step_of(student, teacher, threat))
    assert modes == sorted(modes)


def moves_of(norm: nn.Module, what: Callable[[], Any]) -> list[float]:
    """The momentum of each train-mode forward of a BatchNorm layer."""
    moves: list[float] = []
    handle = norm.register_forward_pre_hook(
        lambda module, _: moves.extend([module.momentum] * module.training)
    )
    what()
    handle.remove()
    return moves


@pytest.mark.parametrize("preset", ["rslad", "path-dual", "mart"])
def test_batchnorm_moves_as_much_as_one_forward(preset, student, teacher, batch, threat):
    norm, step = student[1], step_of(student, teacher, threat)
    momentum = norm.momentum
    moves = moves_of(norm, lambda: run_step(method_of(preset), batch, step))
    assert sum(moves) == pytest.approx(momentum)
    assert norm.momentum == momentum


@pytest.mark.parametrize("preset", ["rslad", "path-dual"])
def test_each_forward_may_move_batchnorm_as_published(preset, student, teacher, batch, threat):
    norm, step = student[1], step_of(student, teacher, threat)
    moves = moves_of(norm, lambda: run_step(method_of(preset, {"bn_update": "each"}), batch, step))
    assert len(moves) > 1
    assert set(moves) == {norm.momentum}


def test_a_walk_away_from_the_students_own_answer_asks_it_in_one_mode(student, teacher, batch, threat):
    for mode in ("eval", "train"):
        method, step = method_of("trades", {"attack_mode": mode}), step_of(student, teacher, threat)
        trained, evaluated = count_forwards(student, lambda: method.paths(batch, step))  # noqa: B023
        assert (trained > 0, evaluated > 0) == (mode == "train", mode == "eval")


def test_undetached_student_start_carries_gradient_and_is_forwarded_once(student, teacher, batch, threat):
    def gradient(detach: bool) -> Tensor:
        change = {"branches": {"untargeted": {"terms": {"robust": {"detach": detach}}}}}
        step = step_of(student, teacher, threat)
        assert count_forwards(student, lambda: run_step(method_of("trades", change), batch, step))[0] == 2
        found = student[0].weight.grad.clone()
        student.zero_grad()
        return found

    assert (gradient(False) - gradient(True)).abs().max() > 1e-6


def test_weightings_are_told_nothing_that_was_said_in_train_mode(student, teacher, batch, threat):
    for mode, kept in (("eval", True), ("train", False)):
        method = method_of("path-dual", {"attack_mode": mode})
        paths = method.paths(batch, step_of(student, teacher, threat))
        assert {bool(path.logits) for path in paths.values()} == {kept}


@pytest.mark.parametrize(("bn", "moves"), [("kept", False), ("published", True)])
def test_attack_in_train_mode_keeps_buffers_unless_published(bn, moves, student, teacher, batch, threat):
    method = method_of("ard", {"attack_mode": "train", "attack_bn": bn})
    before = student[1].running_mean.clone()
    method.paths(batch, step_of(student, teacher, threat))
    assert torch.equal(before, student[1].running_mean) is not moves
    assert student.training


def test_split_norms_leave_the_students_own_alone(student, teacher, batch, threat):
    method = method_of("path-dual", {"branch_bn": "split"})
    method.build({"student": student})
    own = method.modules()["norms.targeted"]
    before = [tensor.clone() for tensor in own.state_dict().values()]
    shared = student[1].running_mean.clone()
    step = step_of(student, teacher, threat)
    paths = method.paths(batch, step)
    only = {"targeted": paths["targeted"], "untargeted": None}
    for scalar, _ in method.losses(only, batch, step):
        scalar.backward()
    assert torch.equal(shared, student[1].running_mean)
    assert student[1].weight.grad is None
    assert student[0].weight.grad is not None
    after = list(own.state_dict().values())
    assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert all(parameter.grad is not None for parameter in own.parameters())
    assert not any("norms" in name for name in student.state_dict())
