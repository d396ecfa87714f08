"""A part of the batch walks, as another sampler says (`part`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from advkd.errors import error
from advkd.protocols import PathSampler, Walk
from advkd.step import Step
from advkd.types import Batch, Path


@dataclass(frozen=True, kw_only=True)
class Part:
    """Every `of`-th image of the batch, from number `part` on, walks as `path` says.

    Two branches with parts 0 and 1 of 2 share the batch between them and cost what one would. Terms are means
    over the images that walk; a batch too small to have one skips the branch. Source: this project, to spend
    less on a second branch.
    """

    path: PathSampler
    part: int = 0
    of: int = 2

    def __post_init__(self) -> None:
        if self.of < 1:
            raise error("of", "a batch has at least one part", given=self.of)
        if not 0 <= self.part < self.of:
            raise error("part", f"parts are numbered 0 to {self.of - 1}", given=self.part)

    @property
    def goals(self) -> bool:
        """Whether the images walk toward goals."""
        return getattr(self.path, "goals", True)

    @property
    def nets(self) -> Sequence[str]:
        """The networks that `path` asks."""
        return getattr(self.path, "nets", ())

    def __call__(self, walk: Walk, batch: Batch, step: Step) -> Path | None:
        """The path of the images of this part."""
        some = step.part(batch, slice(self.part, None, self.of))
        return self.path(walk, some, step) if len(some.x) else None
