"""Every other image of the batch walks, as another sampler says (`half`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from advkd.protocols import PathSampler, Walk
from advkd.step import Step
from advkd.types import Batch, Path


@dataclass(frozen=True, kw_only=True)
class Half:
    """The images of the batch at `even` or `odd` places walk as `path` says; an odd half of one image skips.

    Two branches, one with each half, share the batch between them and cost about what one would. Terms are
    means over the images that walk, and BatchNorm sees no others. Source: this project, to spend less on a
    second branch.
    """

    path: PathSampler
    which: Literal["even", "odd"] = "even"

    @property
    def goals(self) -> bool:
        """Whether the images walk toward goals."""
        return getattr(self.path, "goals", True)

    @property
    def nets(self) -> Sequence[str]:
        """The networks that `path` asks."""
        return getattr(self.path, "nets", ())

    def __call__(self, walk: Walk, batch: Batch, step: Step) -> Path | None:
        """The path of this half."""
        some = step.some(batch, slice(0 if self.which == "even" else 1, None, 2))
        return self.path(walk, some, step) if len(some.x) else None
