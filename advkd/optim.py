"""Optimiser and learning-rate schedule, by torch's own classes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from torch import nn, optim
from torch.optim import lr_scheduler

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
        if self.lr <= 0:
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
    """The learning rate over training, moved once per step.

    `steps` multiplies by `factor` at each of `milestones` (fractions of training: RSLAD's 215, 260, 285 of
    300 epochs are 0.717, 0.867, 0.95); `cosine` falls to zero; `one-cycle` rises for the fraction
    `warmup` and falls to zero; `constant` stays.
    """

    name: Literal["steps", "cosine", "one-cycle", "constant"] = "one-cycle"
    milestones: tuple[Real, ...] = (0.5, 0.75)
    factor: Real = 0.1
    warmup: Real = 0.25

    def __call__(self, optimizer: optim.Optimizer, total_steps: int) -> lr_scheduler.LRScheduler:
        """A torch scheduler for `total_steps` steps."""
        if self.name == "cosine":
            return lr_scheduler.CosineAnnealingLR(optimizer, total_steps)
        if self.name == "one-cycle":
            peaks = [float(group["lr"]) for group in optimizer.param_groups]
            return lr_scheduler.OneCycleLR(
                optimizer, peaks, total_steps, pct_start=self.warmup, cycle_momentum=False
            )
        milestones = [round(m * total_steps) for m in self.milestones] if self.name == "steps" else []
        return lr_scheduler.MultiStepLR(optimizer, milestones, self.factor)
