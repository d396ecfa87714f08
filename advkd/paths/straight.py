"""Points on the segment between the clean image and the end of the walk (`straight`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from advkd.errors import error
from advkd.protocols import Walk
from advkd.step import Step
from advkd.types import Batch, Path


@dataclass(frozen=True, kw_only=True)
class Straight:
    """Replaces the walked points by `points` evenly spaced ones on the segment from start to end.

    The control for whether the attack's own trajectory matters. The ball and the box are convex, so
    every point lies inside the threat. Source: this project; HAT (Rade, Moosavi-Dezfooli, ICLR 2022)
    extrapolates along the same segment.
    """

    points: int = 10

    goals: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.points < 1:
            raise error("points", "a segment needs at least one point beside its start", given=self.points)

    def __call__(self, walk: Walk, batch: Batch, step: Step) -> Path | None:  # noqa: ARG002
        """The segment (points + 1 of them) of the path the branch's attack makes."""
        path = walk(batch.x, batch.y)
        start, end = path.x[0], path.x[-1]
        shares = torch.linspace(0, 1, self.points + 1, dtype=start.dtype, device=start.device)
        x = torch.stack([torch.lerp(start, end, share) for share in shares])
        # the last point is the end itself, so what the attack asked there stays true
        last = path.logits.get(len(path) - 1)
        known = {} if last is None else {self.points: last}
        return Path(x, path.y, path.goal, known)
