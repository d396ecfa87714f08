"""Projected gradient ascent that halves its step by itself (`apgd`)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from advkd.attacks.pgd import Init, begin, direction
from advkd.errors import error
from advkd.protocols import Objective
from advkd.types import Real, Threat, per_sample
from advkd.walk import value_and_gradient


@dataclass(frozen=True, kw_only=True)
class APGD:
    """Auto-PGD: momentum, steps of 2 eps halved at checkpoints where a sample makes no progress.

    A halving sends the sample back to its best point so far and keeps the move before it. `momentum` weighs
    the fresh move (the paper's alpha), `rho` is the share of improving steps below which the step is halved.

    Source: Croce, Hein, ICML 2020 (arXiv 2003.01690), algorithm 1. The official code opens the first
    checkpoint interval with an integer step count and counts it down; the positions here are the
    paper's, rounded up. It also halves where the share of improving steps equals `rho`, never for want of a
    new best point at the first checkpoint, and holds the first loss after a return to the best point
    against the last one before it.
    """

    steps: int = 20
    init: Init = "uniform"
    init_scale: Real = 0.001
    momentum: Real = 0.75
    rho: Real = 0.75

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise error("steps", "an attack takes at least one step", given=self.steps)

    def __call__(
        self, objective: Objective, start: Tensor, threat: Threat, generator: torch.Generator
    ) -> Iterator[Tensor]:
        """Yields `start` (B,C,H,W) and one projected point per step."""
        yield start
        x = begin(self.init, self.init_scale, start, threat, generator)
        value, gradient = value_and_gradient(objective, x)
        pace = _Pace(x, value, gradient, 2 * threat.eps, self.rho)
        before = x
        checks = checkpoints(self.steps)
        for k in range(1, self.steps + 1):
            size = per_sample(pace.size, x)
            ahead = threat.project(x + size * direction(gradient, threat), start)
            share = self.momentum if k > 1 else 1.0
            moved = threat.project(x + share * (ahead - x) + (1 - share) * (x - before), start)
            x, before = moved, x
            yield x
            if k == self.steps:
                return
            value, gradient = value_and_gradient(objective, x)
            pace.saw(x, value, gradient)
            if k in checks:
                slow = pace.checkpoint()
                x = torch.where(per_sample(slow, x), pace.best_x, x)
                gradient = torch.where(per_sample(slow, x), pace.best_gradient, gradient)


def checkpoints(steps: int) -> set[int]:
    """The steps at which progress is judged (algorithm 1: p = 0, 0.22, then shrinking intervals)."""
    last, now = 0.0, 0.22
    found = set()
    while now <= 1:
        # rounded first, or 0.57 of 100 steps would be the 58th
        found.add(math.ceil(round(now * steps, 9)))
        last, now = now, now + max(now - last - 0.03, 0.06)
    return found


class _Pace:
    """Per-sample step size, best point, and the counters that decide on halving."""

    def __init__(self, x: Tensor, value: Tensor, gradient: Tensor, size: float, rho: float) -> None:
        self.best_x, self.best_value, self.best_gradient = x, value, gradient
        self.size = torch.full_like(value, size)
        self._rho = rho
        self._last = value
        self._rises = torch.zeros_like(value)
        self._seen = 0
        self._best_before = value
        self._halved_before = torch.zeros_like(value, dtype=torch.bool)

    def saw(self, x: Tensor, value: Tensor, gradient: Tensor) -> None:
        self._rises += value > self._last
        self._last = value
        self._seen += 1
        better = value > self.best_value
        self.best_x = torch.where(per_sample(better, x), x, self.best_x)
        self.best_gradient = torch.where(per_sample(better, x), gradient, self.best_gradient)
        self.best_value = torch.where(better, value, self.best_value)

    def checkpoint(self) -> Tensor:
        stuck = ~self._halved_before & (self.best_value <= self._best_before)
        slow = (self._rises < self._rho * self._seen) | stuck
        self.size = torch.where(slow, self.size / 2, self.size)
        self._last = torch.where(slow, self.best_value, self._last)
        self._best_before, self._halved_before = self.best_value, slow
        self._rises = torch.zeros_like(self._rises)
        self._seen = 0
        return slow
