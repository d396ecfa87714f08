"""Drawing points of a path instead of forwarding all."""

from __future__ import annotations

import math

import pytest
import torch
from one_step import method_of, run_step, step_of
from parts import small_net

from advkd.streams import streams
from advkd.types import Threat

DRAWS = 400


def gradients_of(draw, student, teacher, batch, seeds):
    terms = {"path": {"draw": draw}, "robust": {"scale": 0}, "clean": {"scale": 0}}
    method = method_of("path-dual", {"branches": {"untargeted": {"terms": terms}, "targeted": None}})
    step = step_of(student, teacher, Threat(eps=0.1))
    paths = method.paths(batch, step)
    found = []
    for seed in seeds:
        student.zero_grad()
        for scalar, _ in method.losses(paths, batch, type(step)(**{**vars(step), "streams": streams(seed)})):
            scalar.backward()
        found.append(torch.cat([p.grad.flatten() for p in student.parameters() if p.grad is not None]))
    return torch.stack(found)


@pytest.mark.parametrize("m", [1, 3])
@pytest.mark.parametrize("norm", [True, False], ids=["eval mode", "no BatchNorm"])
def test_the_mean_gradient_of_many_draws_is_the_full_sum(m, norm, teacher, batch):
    student = small_net(4, norm=norm, seed=1).train(not norm)
    full = gradients_of("all", student, teacher, batch, [0])[0]
    drawn = gradients_of(m, student, teacher, batch, range(DRAWS))
    error = (drawn.mean(0) - full).norm() / full.norm()
    # the standard error of the mean, from the draws themselves; four of them
    spread = drawn.var(0).sum().sqrt() / math.sqrt(DRAWS) / full.norm()
    assert error < 4 * spread
    assert spread < 0.05
    assert spread > 0


def test_more_draws_vary_less(teacher, batch):
    student = small_net(4, seed=1).eval()
    one, four = (gradients_of(m, student, teacher, batch, range(100)).var(0).sum() for m in (1, 4))
    assert four < 0.5 * one


def test_the_same_step_draws_the_same(student, teacher, batch, threat):
    step = step_of(student.eval(), teacher, threat)
    first = run_step(method_of("path-dual"), batch, step)
    assert run_step(method_of("path-dual"), batch, step) == first
