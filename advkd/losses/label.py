"""Losses against a class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn import functional as F

from advkd.protocols import LossKind


@dataclass(frozen=True, kw_only=True)
class CE:
    """Cross-entropy of the logits with a class: -log softmax(logits)[y]."""

    kind: ClassVar[LossKind] = "label"

    def __call__(self, logits: Tensor, target: Tensor) -> Tensor:
        """(B,N) and (B,) to (B,)."""
        return F.cross_entropy(logits, target, reduction="none")


@dataclass(frozen=True, kw_only=True)
class Margin:
    """Largest other logit minus the logit of the class: positive once the class has lost.

    Source: Carlini, Wagner, S&P 2017 (arXiv 1608.04644), f6 without its clamp. The true class is masked
    with minus infinity; published codes that subtract a large constant or use zero lose the gradient
    when all logits are negative.
    """

    kind: ClassVar[LossKind] = "label"

    def __call__(self, logits: Tensor, target: Tensor) -> Tensor:
        """(B,N) and (B,) to (B,)."""
        own = logits.gather(1, target[:, None]).squeeze(1)
        return logits.scatter(1, target[:, None], float("-inf")).amax(1) - own
