"""Optimiser and learning-rate schedule, by torch's own classes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from torch import nn, optim
from torch.optim.lr_scheduler import LambdaLR

from advkd.errors import error
from advkd.types import Real


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """`sgd` with momentum, or `adamw`. The defaults are those of ARD and RSLAD."""

    name: Literal["sgd", "adamw"] = "sgd"
    lr: Real = 0.1
    momentum: Real = 0.9
    weight_decay: Real = 2e-4
    nesterov: bool = False

    def __post_init__(self) -> None:
        if not self.lr > 0:
            raise error("lr", "must be positive", given=self.lr)

    def __call__(self, parameters: Iterable[nn.Parameter]) -> optim.Optimizer:
        """A torch optimiser over the parameters."""
        if self.name == "adamw":
            return optim.AdamW(parameters, lr=self.lr, weight_decay=self.weight_decay)
        return optim.SGD(
            parameters,
            lr=self.lr,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            nesterov=self.nesterov,
        )


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The learning rate over training, moved once per step; `t` is the fraction of training done.

    `one-cycle` rises linearly over the fraction `warmup` and falls to zero along half a cosine; `cosine`
    does without the rise; `steps` multiplies by `factor` at each of `milestones` (RSLAD's epochs 215, 260
    and 285 of 300 are 0.717, 0.867 and 0.95); `constant` stays.
    """

    name: Literal["steps", "cosine", "one-cycle", "constant"] = "one-cycle"
    milestones: tuple[Real, ...] = (0.5, 0.75)
    factor: Real = 0.1
    warmup: Real = 0.25

    def __post_init__(self) -> None:
        if not 0 <= self.warmup < 1:
            raise error("warmup", "a fraction of training, from 0 to below 1", given=self.warmup)

    def __call__(self, optimizer: optim.Optimizer, total_steps: int) -> LambdaLR:
        """A torch scheduler for `total_steps` steps."""
        return LambdaLR(optimizer, lambda step: self.share(step / total_steps, 1 / total_steps))

    def share(self, t: float, one: float = 0.0) -> float:
        """The share of the full learning rate at `t`; `one` is the length of a step."""
        if self.name == "constant":
            return 1.0
        if self.name == "steps":
            return float(self.factor ** sum(t >= m for m in self.milestones))
        rise = self.warmup if self.name == "one-cycle" else 0.0
        if t < rise:
            # the first step already learns
            return min((t + one) / rise, 1.0)
        return 0.5 * (1 + math.cos(math.pi * min((t - rise) / (1 - rise), 1.0)))
