"""Paths with chosen answers along them, for weightings to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from advkd.protocols import Weighting
from advkd.step import Step
from advkd.streams import streams
from advkd.testing.checks import require
from advkd.testing.parts import CLASSES, EPS, generator, images
from advkd.types import Path, Threat
from advkd.view import View

T, B = 4, 6


class Table(nn.Module):
    """Answers with chosen logits (R,N); the first pixel of an image is the number of its row over R.

    The image has a gradient all the same, another for each class.
    """

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.register_buffer("rows", logits)

    def forward(self, x: Tensor) -> Tensor:
        """(B,C,H,W) to (B,N)."""
        rows = self.get_buffer("rows")
        chosen = rows[(x[:, 0, 0, 0] * len(rows)).round().long().clamp(max=len(rows) - 1)]
        still = (x - x.detach()).flatten(1)
        slopes = torch.arange(still.shape[1] * rows.shape[1], device=x.device).cos().to(x.dtype)
        answer: Tensor = chosen + still @ slopes.view(still.shape[1], -1)
        return answer


@dataclass(frozen=True)
class Scene:
    """A path of `t` points and what the networks say along it, multiplied by `loud`."""

    t: int = T
    goal: bool = False
    loud: float = 2.0
    progress: float = 0.5
    dtype: torch.dtype = torch.float64

    @property
    def path(self) -> Path:
        """Images whose first pixel counts them."""
        x = images(self.t, B, 1, 2, 2).to(self.dtype)
        x[:, :, 0, 0, 0] = (torch.arange(self.t * B) / (self.t * B)).view(self.t, B)
        y = torch.arange(B) % CLASSES
        return Path(x, y, (y + 2) % CLASSES if self.goal else None)

    def step(self, nets: tuple[str, ...]) -> Step:
        """A step with the networks called `nets`."""
        noise = (torch.randn(self.t * B, CLASSES, generator=generator(i)) for i in range(1, 9))
        found = {net: Table((self.loud * z).to(self.dtype)) for net, z in zip(nets, noise, strict=False)}
        return Step(nets=found, threat=Threat(eps=EPS), streams=streams(0), progress=self.progress)

    def __call__(self, weighting: Weighting, path: Path | None = None) -> Tensor:
        """What `weighting` makes of it."""
        step = self.step(named(weighting, "student", "teacher"))
        weights = weighting(View(path or self.path, step), step)
        require(isinstance(weights, Tensor), f"a {type(weights).__name__} instead of a tensor")
        return weights


SCENES = [Scene(goal=goal, progress=p) for goal in (False, True) for p in (0.0, 0.5, 1.0)]


def named(weighting: Any, *more: str) -> tuple[str, ...]:
    """The networks called `more`, and those a weighting declares in `nets`."""
    return tuple(dict.fromkeys((*more, *getattr(weighting, "nets", ()))))
