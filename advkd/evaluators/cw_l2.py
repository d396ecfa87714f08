"""The minimal-norm l2 attack of Carlini and Wagner (`cw-l2`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from advkd.errors import at_least_one, error
from advkd.evaluators.art import Art
from advkd.outcome import Outcome
from advkd.protocols import Kind, Knowledge, Passes
from advkd.types import Batch, Real, Threat

FIRST = 1.0
"""The weight searched first; the toolbox doubles it until there is an error, and would begin with 0.01."""

CHANGES = 5
"""How often the toolbox halves a step at most, and how often it doubles one."""


@dataclass(frozen=True, kw_only=True)
class CWL2:
    """The nearest error in l2, by gradient descent under a searched weight of its margin.

    It counts where what it finds, brought into the threat, is still an error. For an l2 threat that is
    its own measure; for linf it is weak, and `cw-linf` is what most distillation papers mean by C&W
    (AdaAD's is this one).

    Source: Carlini, Wagner, S&P 2017 (arXiv 1608.04644), section VI.A, as run by
    adversarial-robustness-toolbox.
    """

    steps: int = 50
    searches: int = 12
    learning_rate: Real = 0.01

    kind: ClassVar[Kind] = "minimal-norm"
    knowledge: ClassVar[Knowledge] = "white-box"

    def __post_init__(self) -> None:
        at_least_one(steps=self.steps, searches=self.searches)
        if not self.learning_rate > 0:
            raise error("learning_rate", "must be above 0", given=self.learning_rate)

    def passes(self, classes: int) -> Passes:
        """Forward and backward passes an image costs at most, with every halving and doubling of a step."""
        tried = 2 + 2 * CHANGES
        return self.searches * (1 + tried * self.steps) + 1, 2 * classes * self.steps * self.searches

    def __call__(self, net: nn.Module, batch: Batch, threat: Threat, generator: torch.Generator) -> Outcome:
        """The attacked images."""
        options = {
            "max_iter": self.steps,
            "binary_search_steps": self.searches,
            "initial_const": FIRST,
            "learning_rate": self.learning_rate,
        }
        return Art(name="CarliniL2Method", options=options)(net, batch, threat, generator)
