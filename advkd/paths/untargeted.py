"""Every image walks away from its class (`untargeted`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from advkd.protocols import Walk
from advkd.step import Step
from advkd.types import Batch, Path


@dataclass(frozen=True, kw_only=True)
class Untargeted:
    """Each image of the batch walks wherever its branch's objective leads; no goal.

    Source: the ascent every method since Madry et al. (ICLR 2018) trains on; as a path, the untargeted
    branch of Dong et al., CVPR 2024.
    """

    goals: ClassVar[bool] = False

    def __call__(self, walk: Walk, batch: Batch, step: Step) -> Path | None:  # noqa: ARG002
        """The path of the whole batch."""
        return walk(batch.x, batch.y)
