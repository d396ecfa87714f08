"""Weights from how far a network stands from its decision boundary at each point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from advkd.errors import error
from advkd.step import Step
from advkd.types import Path, Real
from advkd.view import View

Net = Literal["student", "teacher"]


def of_class(values: Tensor, classes: Tensor) -> Tensor:
    """Entries of `values` (T,B,N) at `classes` (B,): (T,B)."""
    return values.gather(2, classes.expand(len(values), -1)[..., None]).squeeze(2)


def margins(logits: Tensor, path: Path) -> Tensor:
    """Probability margin (T,B) in [-1,1] of the true class over its rival; logits (T,B,N).

    The rival is the goal on a path that has one, the likeliest other class elsewhere.
    """
    p = logits.softmax(2)
    if path.goal is not None:
        return of_class(p, path.y) - of_class(p, path.goal)
    rivals = p.scatter(2, path.y.expand(len(p), -1)[..., None], float("-inf"))
    return of_class(p, path.y) - rivals.amax(2)


@dataclass(frozen=True, kw_only=True)
class Boundary:
    """exp(-|margin| / kappa): points near the boundary; benign and noisy ones fade on either side.

    Source: this project's reading of "informative samples between benign and noisy" in the abstract of
    Dong et al., CVPR 2024; the paper's own formula is not open.
    """

    net: Net = "student"
    kappa: Real = 0.25

    def __post_init__(self) -> None:
        if self.kappa <= 0:
            raise error("kappa", "must be positive", given=self.kappa)

    @property
    def nets(self) -> tuple[str, ...]:
        """The network whose margin it is."""
        return (self.net,)

    def __call__(self, view: View, step: Step) -> Tensor:  # noqa: ARG002
        """(T,B) in (0,1]."""
        return torch.exp(-margins(view.logits(self.net), view.path).abs() / self.kappa)


@dataclass(frozen=True, kw_only=True)
class MarginSigmoid:
    """sigmoid(-slope * (margin + bias)): misclassified points count more.

    Source: Liu et al., NeurIPS 2021 (MAIL), there over samples instead of steps. Slope and bias are the
    defaults of the published code, which multiplies by 3 and divides by nothing; here the term
    normalises.
    """

    net: Net = "student"
    slope: Real = 1.0
    bias: Real = 1.5

    @property
    def nets(self) -> tuple[str, ...]:
        """The network whose margin it is."""
        return (self.net,)

    def __call__(self, view: View, step: Step) -> Tensor:  # noqa: ARG002
        """(T,B) in (0,1)."""
        return torch.sigmoid(-self.slope * (margins(view.logits(self.net), view.path) + self.bias))


@dataclass(frozen=True, kw_only=True)
class Crossing:
    """exp(-|k - c| / sigma), c the first step k >= 1 that is misclassified, K + 1 if none is.

    Source: the step count of GAIRAT (Zhang et al., ICLR 2021, section 3), used over steps. Its paper
    counts steps until the first error as here, its code all correct iterates.
    """

    net: Net = "student"
    sigma: Real = 1.0

    def __post_init__(self) -> None:
        if self.sigma <= 0:
            raise error("sigma", "must be positive", given=self.sigma)

    @property
    def nets(self) -> tuple[str, ...]:
        """The network whose errors are counted."""
        return (self.net,)

    def __call__(self, view: View, step: Step) -> Tensor:  # noqa: ARG002
        """(T,B) in (0,1]."""
        # the step is counted over the whole path, whatever points matter to the reader
        logits = torch.stack([view.at(self.net, k) for k in range(len(view.path))])
        k = torch.arange(len(logits), device=logits.device)[:, None]
        wrong = (logits.argmax(2) != view.path.y) & (k >= 1)
        first = torch.where(wrong, k, len(logits)).amin(0)
        return torch.exp(-(k - first).abs().to(logits.dtype) / self.sigma)
