"""Weights from how right the teacher still is."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from advkd.errors import error
from advkd.step import Step
from advkd.types import Real
from advkd.view import View
from advkd.weightings.margin import Net, of_class


def trust(view: View, step: Step, net: str, beta: float, since: float) -> Tensor:
    """p^y(x_k)^beta (T,B) of a network; full trust before the fraction `since` of training."""
    if step.progress < since:
        x = view.path.x
        return torch.ones(x.shape[:2], dtype=x.dtype, device=x.device)
    return of_class(view.logits(net).softmax(2), view.path.y) ** beta


def _checked(beta: float, since: float) -> None:
    if beta < 0:
        raise error("beta", "must not be negative", given=beta)
    if not 0 <= since < 1:
        raise error("since", "is a fraction of training, from 0 to below 1", given=since)


@dataclass(frozen=True, kw_only=True)
class TeacherTrust:
    """p_T^y(x_k)^beta: how far the teacher is to be trusted at a point.

    Before the fraction `since` of training every weight is one. Source: Zhu et al., ICLR 2022 (IAD,
    arXiv 2106.04928), eq. 3; there beta 0.1 from epoch 60 of 200 on.
    """

    net: Net = "teacher"
    beta: Real = 0.1
    since: Real = 0.0

    def __post_init__(self) -> None:
        _checked(self.beta, self.since)

    @property
    def nets(self) -> tuple[str, ...]:
        """The network that is trusted."""
        return (self.net,)

    def __call__(self, view: View, step: Step) -> Tensor:
        """(T,B) in [0,1]."""
        return trust(view, step, self.net, self.beta, self.since)


@dataclass(frozen=True, kw_only=True)
class TeacherDistrust:
    """1 - p_T^y(x_k)^beta: what trust leaves for other targets; zero before `since`.

    Source: Zhu et al., ICLR 2022 (IAD), the weight of its self-distillation term.
    """

    net: Net = "teacher"
    beta: Real = 0.1
    since: Real = 0.0

    def __post_init__(self) -> None:
        _checked(self.beta, self.since)

    @property
    def nets(self) -> tuple[str, ...]:
        """The network that is distrusted."""
        return (self.net,)

    def __call__(self, view: View, step: Step) -> Tensor:
        """(T,B) in [0,1]."""
        return 1 - trust(view, step, self.net, self.beta, self.since)
