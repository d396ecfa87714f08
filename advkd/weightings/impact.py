"""Weights from how much the perturbation has changed so far."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from advkd.step import Step
from advkd.view import View
from advkd.weightings.common import OneNet, of_class


@dataclass(frozen=True, kw_only=True)
class Impact(OneNet):
    """Drop of the true class's probability since the clean image; on a path with a goal, the goal's gain.

    Negative drops count as zero. With `normalise: per-batch-max` it is the weighting the authors of
    Dong et al., CVPR 2024 published later. Source: AdvSimplex (ICML 2025), eq. 16, which keeps the sign.
    """

    def __call__(self, view: View, step: Step) -> Tensor:  # noqa: ARG002
        """(T,B) in [0,1]."""
        path = view.path
        p = view.logits(self.net).softmax(2)
        start = view.at(self.net, 0).softmax(1)[None]
        if path.goal is None:
            return (of_class(start, path.y) - of_class(p, path.y)).clamp_min(0)
        return (of_class(p, path.goal) - of_class(start, path.goal)).clamp_min(0)
