"""Weights from how much the networks differ, or how undecided one is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor
from torch.nn import functional as F

from advkd.errors import error
from advkd.step import Step
from advkd.types import Real
from advkd.view import View
from advkd.weightings.common import Net, OneNet

SMALLEST = 1e-6


@dataclass(frozen=True, kw_only=True)
class Divergence:
    """KL(other || `net`)^power at each point: where the two disagree most (power -1: agree most).

    `at: start` compares with the teacher's view of the clean image, `here` with that of the very point;
    `net: teacher` compares the teacher at the point with the student. Divergences below 1e-6 count as
    1e-6, so that a negative power stays finite. Source: W4 of the usual ablation.
    """

    net: Net = "student"
    at: Literal["start", "here"] = "start"
    power: Real = 1.0

    nets: ClassVar[tuple[str, ...]] = ("student", "teacher")

    def __call__(self, view: View, step: Step) -> Tensor:  # noqa: ARG002
        """(T,B)."""
        other = "teacher" if self.net == "student" else "student"
        log_q = view.logits(self.net).log_softmax(2)
        aim = view.at(other, 0)[None] if self.at == "start" else view.logits(other)
        log_p = aim.log_softmax(2).expand_as(log_q)
        return (
            F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(2).clamp_min(SMALLEST) ** self.power
        )


@dataclass(frozen=True, kw_only=True)
class Entropy(OneNet):
    """Entropy of a network's answer: H / log N, or H / (H + kappa) when `kappa` is given.

    `favour: low` takes one minus that. Source: SAAD (TMLR 2026) favours high entropy, Adv-W2S (2025),
    whose H / (H + kappa) it is, trusts low entropy; the sign is a matter of ablation.
    """

    net: Net = "teacher"
    kappa: Real | None = None
    favour: Literal["high", "low"] = "high"

    def __post_init__(self) -> None:
        if self.kappa is not None and self.kappa <= 0:
            raise error("kappa", "must be positive", given=self.kappa)

    def __call__(self, view: View, step: Step) -> Tensor:  # noqa: ARG002
        """(T,B) in [0,1]."""
        log_p = view.logits(self.net).log_softmax(2)
        entropy = -(log_p.exp() * log_p).sum(2)
        scale = math.log(log_p.shape[2]) if self.kappa is None else entropy + self.kappa
        share = (entropy / scale).clamp(0, 1)
        return share if self.favour == "high" else 1 - share
