"""The images as they are (`clean`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from advkd.outcome import Outcome
from advkd.protocols import Kind, Knowledge, Passes
from advkd.types import Batch, Threat


@dataclass(frozen=True, kw_only=True)
class Clean:
    """No attack. Every evaluation measures this anyway; here it can stand for a validation without one."""

    kind: ClassVar[Kind] = "fixed-budget"
    knowledge: ClassVar[Knowledge] = "black-box"

    def passes(self, classes: int) -> Passes:  # noqa: ARG002
        """None of its own."""
        return 0, 0

    def __call__(
        self,
        net: nn.Module,  # noqa: ARG002
        batch: Batch,
        threat: Threat,  # noqa: ARG002
        generator: torch.Generator,  # noqa: ARG002
    ) -> Outcome:
        """The batch itself."""
        return Outcome(batch.x)
