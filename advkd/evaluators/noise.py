"""Noise without any search (`noise`): what breaks under it was never robust."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from advkd.errors import at_least_one
from advkd.networks.modes import logits_of, misclassified
from advkd.outcome import Outcome
from advkd.protocols import Kind, Knowledge, Passes
from advkd.types import Batch, Threat


@dataclass(frozen=True, kw_only=True)
class Noise:
    """`draws` uniform points of the ball; the first that is misclassified counts.

    A control of Carlini et al. 2019 (arXiv 1902.06705): a white-box attack may not be weaker.
    """

    draws: int = 10

    kind: ClassVar[Kind] = "fixed-budget"
    knowledge: ClassVar[Knowledge] = "black-box"

    def __post_init__(self) -> None:
        at_least_one(draws=self.draws)

    def passes(self, classes: int) -> Passes:  # noqa: ARG002
        """Forward and backward passes an image costs at most."""
        return self.draws, 0

    def __call__(self, net: nn.Module, batch: Batch, threat: Threat, generator: torch.Generator) -> Outcome:
        """The noisy images."""
        best = threat.random_start(batch.x, generator)
        standing = (~misclassified(logits_of(net, best), batch.y)).nonzero().squeeze(1)
        for _ in range(self.draws - 1):
            if not len(standing):
                break
            drawn = threat.random_start(batch.x[standing], generator)
            best[standing] = drawn
            standing = standing[~misclassified(logits_of(net, drawn), batch.y[standing])]
        return Outcome(best)
