"""Losses against what another network says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn import functional as F

from advkd.errors import error
from advkd.protocols import LossKind
from advkd.types import Real


@dataclass(frozen=True, kw_only=True)
class KL:
    """KL(softmax(target / T) || softmax(logits / T)) * T^2, summed over classes.

    `per_class` divides by the number of classes, as torch's default reduction does and the published
    RSLAD, ARD and AdaAD (CIFAR-10) do. Source: Hinton, Vinyals, Dean 2015 (arXiv 1503.02531), section 2:
    the factor keeps gradients comparable across temperatures.
    """

    temperature: Real = 1.0
    per_class: bool = False

    kind: ClassVar[LossKind] = "divergence"

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise error("temperature", "must be positive", given=self.temperature)

    def __call__(self, logits: Tensor, target: Tensor) -> Tensor:
        """(B,N) and (B,N) to (B,)."""
        log_q = (logits / self.temperature).log_softmax(1)
        log_p = (target / self.temperature).log_softmax(1)
        value = F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(1) * self.temperature**2
        return value / logits.shape[1] if self.per_class else value


@dataclass(frozen=True, kw_only=True)
class Squared:
    """Squared Euclidean distance between the two probability vectors.

    Source: the alignment AdvSimplex (ICML 2025) argues for through an upper bound of the robust risk.
    """

    kind: ClassVar[LossKind] = "divergence"

    def __call__(self, logits: Tensor, target: Tensor) -> Tensor:
        """(B,N) and (B,N) to (B,)."""
        return (logits.softmax(1) - target.softmax(1)).square().sum(1)
