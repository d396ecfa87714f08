"""Weights from how right the teacher still is."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from advkd.errors import error
from advkd.step import Step
from advkd.types import Real
from advkd.view import View
from advkd.weightings.common import Net, OneNet, of_class


@dataclass(frozen=True, kw_only=True)
class TeacherTrust(OneNet):
    """p_T^y(x_k)^beta: how far the teacher is to be trusted at a point.

    Before the fraction `since` of training every weight is one. Source: Zhu et al., ICLR 2022 (IAD,
    arXiv 2106.04928), eq. 3; there beta 0.1 from epoch 60 of 200 on.
    """

    net: Net = "teacher"
    beta: Real = 0.1
    since: Real = 0.0

    def __post_init__(self) -> None:
        if self.beta < 0:
            raise error("beta", "must not be negative", given=self.beta)
        if not 0 <= self.since < 1:
            raise error("since", "is a fraction of training, from 0 to below 1", given=self.since)

    def __call__(self, view: View, step: Step) -> Tensor:
        """(T,B) in [0,1]."""
        if step.progress < self.since:
            x = view.path.x
            return torch.ones(x.shape[:2], dtype=x.dtype, device=x.device)
        return of_class(view.logits(self.net).softmax(2), view.path.y) ** self.beta


@dataclass(frozen=True, kw_only=True)
class TeacherDistrust(TeacherTrust):
    """1 - p_T^y(x_k)^beta: what trust leaves for other targets; zero before `since`.

    Source: Zhu et al., ICLR 2022 (IAD), the weight of its self-distillation term.
    """

    def __call__(self, view: View, step: Step) -> Tensor:
        """(T,B) in [0,1]."""
        return 1 - super().__call__(view, step)
