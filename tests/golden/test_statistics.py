"""What makes a preset its method besides the loss: which forwards move BatchNorm, and what begins when."""

from __future__ import annotations

import copy
from typing import Any

import formulas as f
import pytest
import torch
from test_methods import CASES, SEED, TIGHT, difference, ours
from torch import Tensor, nn

from advkd.config.build import member
from advkd.config.layers import named, over
from advkd.step import Step
from advkd.types import Batch, Threat

FORWARDS = {
    "rslad-official": (False, ("attacked", "clean")),
    "ard-official": (True, ("attacked",)),
    "iad-official": (True, ("clean", "attacked")),
}
"""Whether the attack is in train mode, and the train-mode forwards of the loss; each moves the statistics."""


def buffers(net: nn.Module) -> dict[str, Tensor]:
    return {name: buffer.clone() for name, buffer in net.named_buffers()}


def stepped(
    preset: str, student: nn.Module, teacher: nn.Module, batch: Batch, threat: Threat, **change: Any
) -> dict[str, Tensor]:
    """The student's statistics after a step of a preset."""
    method = member("methods", over(named("presets", preset)["method"], change), "method")[0]
    generator = torch.Generator().manual_seed(SEED)
    nets = {"student": student, "teacher": teacher}
    step = Step(nets=nets, threat=threat, streams=lambda *_: generator, progress=0.5)
    for scalar, _ in method.losses(method.paths(batch, step), batch, step):
        scalar.backward()
    return buffers(student)


def published(preset: str, student: nn.Module, teacher: nn.Module, batch: Batch) -> dict[str, Tensor]:
    """The student's statistics after the forwards of the published code."""
    x, y = batch.x, batch.y
    attacked = CASES[preset](copy.deepcopy(student), teacher, x, y, SEED)[1]
    in_train, forwards = FORWARDS[preset]
    if in_train:
        f.ascend(x, f.uniform(x, SEED), lambda at: f.ce(student(at), y))
    for name in forwards:
        student({"attacked": attacked, "clean": x}[name])
    return buffers(student)


def same(one: dict[str, Tensor], two: dict[str, Tensor]) -> bool:
    return all(torch.allclose(one[name], two[name], **TIGHT) for name in one)


@pytest.mark.parametrize("preset", FORWARDS)
def test_an_official_preset_moves_the_statistics_as_published(
    preset: str, student: nn.Module, teacher: nn.Module, batch: Batch, threat: Threat
) -> None:
    wanted = published(preset, copy.deepcopy(student), teacher, batch)
    assert same(stepped(preset, copy.deepcopy(student), teacher, batch, threat), wanted)
    if len(FORWARDS[preset][1]) > 1:
        other = stepped(preset, copy.deepcopy(student), teacher, batch, threat, bn_update="step")
        assert not same(other, wanted)
    if FORWARDS[preset][0]:
        other = stepped(preset, copy.deepcopy(student), teacher, batch, threat, attack_bn="kept")
        assert not same(other, wanted)


def test_iad_trusts_the_teacher_alone_for_three_tenths_of_training(
    student: nn.Module, teacher: nn.Module, batch: Batch, threat: Threat
) -> None:
    loss, paths = ours("iad", student, teacher, batch, threat, progress=0.2999)
    alone = f.kl(teacher(batch.x), student(paths["untargeted"].x[-1])).mean()
    torch.testing.assert_close(loss, alone, **TIGHT)
    assert max(difference("iad", f.iad, student, teacher, batch, threat, progress=0.3)) <= 1e-12
