"""Every image walks toward the region of another class (`targeted`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from advkd.protocols import Walk
from advkd.step import Step
from advkd.types import Batch, Path


@dataclass(frozen=True, kw_only=True)
class Targeted:
    """An image of class c_j walks toward the region of a class c_i != c_j; its label stays the truth.

    `goal` says which c_i: `runner-up`, the wrong class that `judge` finds likeliest for the clean image;
    `random`, uniform over wrong classes; `anchor`, where for each image of the batch another image of
    another class, drawn with replacement, walks toward the first one's class (a batch of one class has
    none and skips the branch).

    Source: Dong, Koniusz, Chen, Wang, Ong, CVPR 2024, abstract: the descent from a class c_j toward the
    region of c_i. The choice among the three goals is not in the open text.
    """

    goal: Literal["runner-up", "random", "anchor"] = "runner-up"
    judge: str = "teacher"

    goals: ClassVar[bool] = True

    @property
    def nets(self) -> tuple[str, ...]:
        """The network asked for the likeliest wrong class."""
        return (self.judge,) if self.goal == "runner-up" else ()

    def __call__(self, walk: Walk, batch: Batch, step: Step) -> Path | None:
        """The path of the images that walk, or None for a one-class batch under `anchor`."""
        if self.goal == "anchor":
            pairs = other_class(batch.y, step.generator("attack", "anchor"))
            return None if pairs is None else walk(batch.x[pairs], batch.y[pairs], batch.y)
        if self.goal == "runner-up":
            goal = runner_up(step.start_logits(self.judge, batch.x), batch.y)
        else:
            classes = step.start_logits("student", batch.x).shape[1]
            goal = wrong_class(batch.y, classes, step.generator("attack", "goal"))
        return walk(batch.x, batch.y, goal)


def runner_up(logits: Tensor, y: Tensor) -> Tensor:
    """The likeliest class (B,) that is not `y` (B,), by logits (B,N)."""
    return logits.scatter(1, y[:, None], float("-inf")).argmax(1)


def wrong_class(y: Tensor, classes: int, generator: torch.Generator) -> Tensor:
    """A class (B,) drawn uniformly from those that are not `y` (B,)."""
    shift = torch.randint(1, classes, y.shape, generator=generator).to(y.device)
    return (y + shift) % classes


def other_class(y: Tensor, generator: torch.Generator) -> Tensor | None:
    """For each image, the index (B,) of one of another class, with replacement; None if there is none."""
    others = (y[:, None] != y[None, :]).cpu().double()
    if (others.sum(1) == 0).any():
        return None
    return torch.multinomial(others, 1, generator=generator).squeeze(1).to(y.device)
