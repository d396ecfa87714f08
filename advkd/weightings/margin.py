"""Weights from how far a network stands from its decision boundary at each point."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from advkd.errors import error
from advkd.step import Step
from advkd.types import Real
from advkd.view import View
from advkd.weightings.common import OneNet, margins


@dataclass(frozen=True, kw_only=True)
class Boundary(OneNet):
    """exp(-|margin| / kappa): points near the boundary; benign and noisy ones fade on either side.

    Source: this project's reading of "informative samples between benign and noisy" in the abstract of
    Dong et al., CVPR 2024; the paper's own formula is not open.
    """

    kappa: Real = 0.25

    def __post_init__(self) -> None:
        if self.kappa <= 0:
            raise error("kappa", "must be positive", given=self.kappa)

    def __call__(self, view: View, step: Step) -> Tensor:  # noqa: ARG002
        """(T,B) in [0,1]; below kappa 0.01 it is zero in float32 where the network is sure."""
        return torch.exp(-margins(view.logits(self.net), view.path).abs() / self.kappa)


@dataclass(frozen=True, kw_only=True)
class MarginSigmoid(OneNet):
    """sigmoid(-slope * (margin + bias)): misclassified points count more.

    Source: Liu et al., NeurIPS 2021 (MAIL), there over samples instead of steps. Slope and bias are the
    defaults of the published code, which multiplies by 3 and divides by nothing; here the term
    normalises.
    """

    slope: Real = 1.0
    bias: Real = 1.5

    def __call__(self, view: View, step: Step) -> Tensor:  # noqa: ARG002
        """(T,B) in (0,1)."""
        return torch.sigmoid(-self.slope * (margins(view.logits(self.net), view.path) + self.bias))


@dataclass(frozen=True, kw_only=True)
class Crossing(OneNet):
    """exp(-|k - c| / sigma), c the first step k >= 1 that is misclassified, K + 1 if none is.

    Source: the step count of GAIRAT (Zhang et al., ICLR 2021, section 3), used over steps. Its paper
    counts steps until the first error as here, its code all correct iterates.
    """

    sigma: Real = 1.0

    def __post_init__(self) -> None:
        if self.sigma <= 0:
            raise error("sigma", "must be positive", given=self.sigma)

    def __call__(self, view: View, step: Step) -> Tensor:  # noqa: ARG002
        """(T,B) in (0,1]."""
        # the step is counted over the whole path, whatever points matter to the reader
        logits = torch.stack([view.at(self.net, k) for k in range(len(view.path))])
        k = torch.arange(len(logits), device=logits.device)[:, None]
        wrong = (logits.argmax(2) != view.path.y) & (k >= 1)
        first = torch.where(wrong, k, len(logits)).amin(0)
        return torch.exp(-(k - first).abs().to(logits.dtype) / self.sigma)
