"""The images as they are (`clean`)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from advkd.outcome import Outcome
from advkd.types import Batch, Threat


@dataclass(frozen=True, kw_only=True)
class Clean:
    """No attack. Every evaluation measures this anyway; here it can stand for a validation without one."""

    def __call__(
        self,
        net: nn.Module,  # noqa: ARG002
        batch: Batch,
        threat: Threat,  # noqa: ARG002
        generator: torch.Generator,  # noqa: ARG002
    ) -> Outcome:
        """The batch itself."""
        return Outcome(batch.x)
