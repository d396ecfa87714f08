"""Optimiser and learning-rate schedule, by torch's own classes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from torch import nn, optim
from torch.optim.lr_scheduler import LambdaLR

from advkd.errors import error
from advkd.types import Real


def _without_effect(chosen: Optimizer | Schedule, takers: Mapping[str, tuple[str, ...]]) -> None:
    """Refuses an option away from its default that `chosen` does not use; `takers` are the names that do."""
    for option, names in takers.items():
        value, default = getattr(chosen, option), getattr(type(chosen), option)
        if value != default and chosen.name not in names:
            remedy = f"leave it at {default}, or set name to {' or '.join(names)}"
            raise error(option, f"has no effect on {chosen.name}", given=value, remedy=remedy)


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
        if not 0 <= self.momentum < 1:
            raise error("momentum", "must be from 0 to below 1", given=self.momentum)
        if not self.weight_decay >= 0:
            raise error("weight_decay", "must not be negative", given=self.weight_decay)
        if self.nesterov and not self.momentum:
            raise error("nesterov", "needs momentum", given="momentum 0", remedy="set momentum, such as 0.9")
        _without_effect(self, {"momentum": ("sgd",), "nesterov": ("sgd",)})

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
        for milestone in self.milestones:
            if not 0 < milestone < 1:
                remedy = "write the share of training it comes after: epoch 150 of 200 is 150/200"
                raise error("milestones", "must lie between 0 and 1", given=milestone, remedy=remedy)
        if not 0 < self.factor <= 1:
            remedy = "each milestone multiplies the learning rate by it: 0.1"
            raise error("factor", "must be above 0 and at most 1", given=self.factor, remedy=remedy)
        _without_effect(self, {"milestones": ("steps",), "factor": ("steps",), "warmup": ("one-cycle",)})

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
