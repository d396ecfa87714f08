"""`loss_of` draws from its generator alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import advkd
from advkd.errors import AdvkdError
from advkd.types import Threat


def test_networks_with_dropout_follow_the_generator(teacher):
    student = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(36, 5)).double()
    x, y = torch.rand(4, 1, 6, 6, dtype=torch.float64), torch.arange(4)

    def loss(seed: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        options = {"student": student, "teacher": teacher, "threat": Threat(eps=0.1)}
        return advkd.loss_of("rslad", x=x, y=y, generator=generator, **options)[0].detach()

    before = torch.get_rng_state()
    one, again, other = loss(1), loss(1), loss(2)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_a_label_beyond_the_logits_is_refused(teacher):
    student = nn.Sequential(nn.Flatten(), nn.Linear(36, 4)).double()
    x, y = torch.rand(4, 1, 6, 6, dtype=torch.float64), torch.arange(4) + 1
    with pytest.raises(AdvkdError, match=r"y, for the student: labels must lie between 0 and 3"):
        advkd.loss_of("rslad", x=x, y=y, student=student, teacher=teacher, threat=Threat(eps=0.1))
