"""Projected gradient ascent, many steps (`pgd`) or one (`fgsm`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from advkd.errors import error
from advkd.protocols import Objective
from advkd.types import Real, Threat, per_sample
from advkd.walk import value_and_gradient

Init = Literal["none", "uniform", "gaussian"]


@dataclass(frozen=True, kw_only=True)
class PGD:
    """Projected gradient ascent: sign steps in linf, steps of unit length in l2.

    `init`: `none` starts at the image, `uniform` anywhere in the ball, `gaussian` adds
    `init_scale` * N(0,1). `step_size` is absolute when bare and relative as `1/4 eps`. The start noise
    is projected into ball and box before the first gradient; published code leaves it outside the box, by a
    few thousandths (RSLAD, TRADES, MART, AdaAD) or by up to eps (ARD, IAD).

    Source: Madry, Makelov, Schmidt, Tsipras, Vladu, ICLR 2018 (arXiv 1706.06083), section 2.1.
    """

    steps: int = 10
    step_size: Real | str = "1/4 eps"
    init: Init = "uniform"
    init_scale: Real = 0.001

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise error("steps", "an attack takes at least one step", given=self.steps)

    def __call__(
        self, objective: Objective, start: Tensor, threat: Threat, generator: torch.Generator
    ) -> Iterator[Tensor]:
        """Yields `start` (B,C,H,W) and one projected point per step."""
        size = threat.step(self.step_size)
        yield start
        x = begin(self.init, self.init_scale, start, threat, generator)
        for _ in range(self.steps):
            _, gradient = value_and_gradient(objective, x)
            x = threat.project(x + size * direction(gradient, threat), start)
            yield x


@dataclass(frozen=True, kw_only=True)
class FGSM:
    """One sign step of length eps from the image itself (in l2, one step of that length).

    Source: Goodfellow, Shlens, Szegedy, ICLR 2015 (arXiv 1412.6572), section 4. No random start: that
    variant is `pgd` with `steps: 1`.
    """

    init: ClassVar[Init] = "none"

    def __call__(
        self, objective: Objective, start: Tensor, threat: Threat, generator: torch.Generator
    ) -> Iterator[Tensor]:
        """Yields `start` (B,C,H,W) and the point one step away."""
        return PGD(steps=1, step_size="1 eps", init=self.init)(objective, start, threat, generator)


def begin(init: Init, scale: float, start: Tensor, threat: Threat, generator: torch.Generator) -> Tensor:
    """Where the first gradient is taken: inside ball and box."""
    if init == "none":
        return start
    if init == "uniform":
        return threat.random_start(start, generator)
    noise = torch.randn(start.shape, generator=generator, dtype=start.dtype).to(start.device)
    return threat.project(start + scale * noise, start)


def direction(gradient: Tensor, threat: Threat) -> Tensor:
    """The steepest direction of unit length in the threat's norm; zero where that is, or is no number."""
    if threat.norm == "linf":
        return gradient.sign()
    # its sign is zero already; a length would spread it over the image
    gradient = gradient.nan_to_num(0.0)
    # a network that is sure of itself leaves entries whose squares are no longer numbers of float32
    largest = gradient.flatten(1).abs().amax(1)
    gradient = gradient / per_sample(torch.where(largest > 0, largest, 1.0), gradient)
    return gradient / per_sample(gradient.flatten(1).norm(dim=1).clamp_min(1.0), gradient)
