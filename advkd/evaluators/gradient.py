"""White-box attacks that judge a network: one step, many steps, many steps on the margin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import nn

from advkd.evaluators.strongest import Restarted, strongest
from advkd.outcome import Outcome
from advkd.protocols import Kind, Knowledge, Passes
from advkd.registry import load
from advkd.types import Batch, Threat


@dataclass(frozen=True, kw_only=True)
class FGSMEvaluator:
    """One sign step of length eps on cross-entropy, from the image itself.

    Source: Goodfellow, Shlens, Szegedy, ICLR 2015 (arXiv 1412.6572).
    """

    kind: ClassVar[Kind] = "fixed-budget"
    knowledge: ClassVar[Knowledge] = "white-box"

    def passes(self, classes: int) -> Passes:  # noqa: ARG002
        """Forward and backward passes an image costs at most."""
        return 3, 1

    def __call__(self, net: nn.Module, batch: Batch, threat: Threat, generator: torch.Generator) -> Outcome:
        """The attacked images."""
        attack, loss = load("attacks", "fgsm")(), load("losses", "ce")()
        return Outcome(strongest(net, batch, attack, loss, threat, generator))


@dataclass(frozen=True, kw_only=True)
class PGDEvaluator(Restarted):
    """Projected gradient ascent with restarts on what still stands; the best iterate counts.

    Source: Madry et al., ICLR 2018 (arXiv 1706.06083). The distillation literature reports 20 steps of
    2/255 (RSLAD also 0.003) from one random start, at the last iterate; this is never weaker.
    """

    steps: int = 20
    restarts: int = 5
    loss: Literal["ce", "margin"] = "ce"

    def __call__(self, net: nn.Module, batch: Batch, threat: Threat, generator: torch.Generator) -> Outcome:
        """The attacked images."""
        return self.found(net, batch, self.loss, threat, generator)


@dataclass(frozen=True, kw_only=True)
class CWLinf(Restarted):
    """Projected gradient ascent on the margin loss: what most distillation papers call C&W.

    Not the minimal-norm l2 attack of that name. Source: Carlini, Wagner, S&P 2017 (arXiv 1608.04644),
    loss f6, in the ball as by Madry et al.; 30 steps as in the code of IAD.
    """

    steps: int = 30

    def __call__(self, net: nn.Module, batch: Batch, threat: Threat, generator: torch.Generator) -> Outcome:
        """The attacked images."""
        return self.found(net, batch, "margin", threat, generator)
