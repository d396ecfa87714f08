"""Optimiser and learning-rate schedule: the rate of every step, and values that cannot be meant."""

from __future__ import annotations

import pytest
import torch
from torch import optim

import advkd
from advkd.optim import Optimizer, Schedule

# 1/2 (1 + cos a) for a = pi/6, pi/3, pi/2, 2 pi/3, 5 pi/6
FALL = [0.9330127018922193, 0.75, 0.5, 0.25, 0.0669872981077807]


@pytest.mark.parametrize(
    ("schedule", "wanted"),
    [
        # a quarter of eight steps rises: the first learns already, the second in full
        (Schedule(), [0.5, 1.0, 1.0, *FALL]),
        (Schedule(warmup=0), [1.0, *FALL]),
        (Schedule(name="cosine"), [1.0, *FALL]),
        (Schedule(name="steps"), [1.0, 1.0, 0.1, 0.01]),
        (Schedule(name="steps", milestones=(0.4,), factor=0.5), [1.0, 1.0, 0.5, 0.5, 0.5]),
        (Schedule(name="constant"), [1.0, 1.0, 1.0]),
    ],
    ids=lambda value: value.name if isinstance(value, Schedule) else "",
)
def test_the_rate_of_every_step(schedule, wanted):
    optimizer = optim.SGD([torch.zeros(1, requires_grad=True)], lr=2.0)
    scheduler = schedule(optimizer, len(wanted))
    rates = []
    for _ in wanted:
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates == pytest.approx([2 * share for share in wanted], abs=1e-12)


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("schedule={name: steps, milestones: [100, 150]}", r"schedule\.milestones: must lie(?s:.*)150/200"),
        ("schedule={name: steps, milestones: [0]}", r"schedule\.milestones: must lie"),
        ("schedule={name: steps, factor: -1}", r"schedule\.factor: must be above 0"),
        ("schedule={name: steps, factor: 10}", r"schedule\.factor: must be above 0"),
        (
            "schedule.milestones=[0.1]",
            r"schedule\.milestones: has no effect on one-cycle(?s:.*)set name to steps",
        ),
        ("schedule={name: cosine, warmup: 0.1}", r"schedule\.warmup: has no effect on cosine"),
        ("optimizer.momentum=-1", r"optimizer\.momentum: must be from 0"),
        ("optimizer.momentum=1", r"optimizer\.momentum: must be from 0"),
        ("optimizer.weight_decay=-1", r"optimizer\.weight_decay: must not be negative"),
        ("optimizer={nesterov: true, momentum: 0}", r"optimizer\.nesterov: needs momentum"),
        ("optimizer={name: adamw, momentum: 0.5}", r"optimizer\.momentum: has no effect on adamw"),
        ("optimizer={name: adamw, nesterov: true}", r"optimizer\.nesterov: has no effect on adamw"),
        ("teacher.optimizer.momentum=2", r"teacher\.optimizer\.momentum: must be from 0"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_before_training(word, says):
    with pytest.raises(advkd.AdvkdError, match=says):
        advkd.resolve("preset=rslad", word)


def test_what_torch_makes_of_it():
    weights = [torch.zeros(1, requires_grad=True)]
    sgd = Optimizer(lr=0.3, momentum=0.8, weight_decay=0.01, nesterov=True)(weights).defaults
    assert (sgd["lr"], sgd["momentum"], sgd["weight_decay"], sgd["nesterov"]) == (0.3, 0.8, 0.01, True)
    adamw = Optimizer(name="adamw", lr=0.3, weight_decay=0.01)(weights)
    assert isinstance(adamw, optim.AdamW)
    assert (adamw.defaults["lr"], adamw.defaults["weight_decay"]) == (0.3, 0.01)
