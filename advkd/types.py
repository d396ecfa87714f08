"""The words of the toolkit: threat, batch, path, record (T = steps + 1 points, B batch, N classes)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Annotated, Literal, SupportsFloat, get_args

import torch
from pydantic import BeforeValidator, Field
from torch import Tensor

from advkd.errors import AdvkdError, error, unknown


def as_real(value: object) -> object:
    """A fraction written as text (`8/255`) as the real number it is; anything else unchanged."""
    if isinstance(value, str):
        try:
            return float(Fraction(value.replace(" ", "")))
        except (ValueError, ZeroDivisionError, OverflowError):
            return value
    return value


Real = Annotated[float, BeforeValidator(as_real), Field(allow_inf_nan=False)]
Norm = Literal["linf", "l2"]
Shape = tuple[int, int, int]
Part = Literal["test", "validation"]
"""Which images judge a network; validation where something is still to be chosen by them."""


SLACK = 1e-6
"""Rounding of float32 that a distance may show beyond eps."""


def per_sample(values: Tensor, like: Tensor) -> Tensor:
    """`values` (B,) shaped to broadcast over the images `like` (B,...)."""
    return values.view(-1, *[1] * (like.dim() - 1))


@dataclass(frozen=True, kw_only=True)
class Threat:
    """What an adversary may do to an image: a ball of radius `eps` around it, inside the pixel box.

    The only place where `eps` lives. Distances are in pixel units, images lie in `box`.
    """

    norm: Norm = "linf"
    eps: Real
    box: tuple[Real, Real] = (0.0, 1.0)

    def __post_init__(self) -> None:
        if self.norm not in get_args(Norm):
            raise AdvkdError(unknown("threat.norm", "norm", self.norm, get_args(Norm)))
        if not isinstance(self.eps, SupportsFloat):
            remedy = "write a number: in Python 8/255 without quotes"
            raise error("threat.eps", "eps is no number", given=repr(self.eps), remedy=remedy)
        low, high = map(float, self.box)
        # numbers of NumPy and torch are welcome, and cannot be written into a result
        object.__setattr__(self, "eps", float(self.eps))
        object.__setattr__(self, "box", (low, high))
        if not low < high:
            raise error("threat.box", "the lower edge must be below the upper one", given=self.box)
        if not self.eps >= 0:
            raise error("threat.eps", "eps must not be negative or NaN", given=self.eps)
        if self.norm == "linf" and self.eps > high - low:
            raise error(
                "threat.eps",
                f"eps exceeds the pixel range, {low:g} to {high:g}",
                given=f"{self.eps:g}",
                remedy=f"for 8-bit pixel values write {self.eps:g}/255",
            )

    def project(self, x: Tensor, start: Tensor) -> Tensor:
        """The points `x` (B,...) brought into the ball around `start`, then into the box."""
        if self.norm == "linf":
            inside = torch.minimum(torch.maximum(x, start - self.eps), start + self.eps)
        else:
            delta = x - start
            length = delta.flatten(1).norm(dim=1).clamp_min(torch.finfo(x.dtype).tiny)
            inside = start + delta * per_sample((self.eps / length).clamp_max(1.0), x)
        return inside.clamp(*self.box)

    def random_start(self, start: Tensor, generator: torch.Generator) -> Tensor:
        """A point drawn uniformly from the ball around `start`, brought into the box."""
        if self.norm == "linf":
            noise = torch.rand(start.shape, generator=generator, dtype=start.dtype) * 2 - 1
            return self.project(start + self.eps * noise.to(start.device), start)
        noise = torch.randn(start.shape, generator=generator, dtype=start.dtype)
        radius = torch.rand(len(start), generator=generator, dtype=start.dtype)
        size = start[0].numel()
        length = noise.flatten(1).norm(dim=1)
        noise = noise * per_sample(radius ** (1 / size) / length, noise)
        return self.project(start + self.eps * noise.to(start.device), start)

    def distance(self, x: Tensor, start: Tensor) -> Tensor:
        """How far each image of `x` (B,...) lies from its start, (B,)."""
        delta = (x - start).flatten(1)
        return delta.abs().amax(1) if self.norm == "linf" else delta.norm(dim=1)

    def holds(self, x: Tensor, start: Tensor) -> Tensor:
        """(B,) bool: which images `x` (B,...) lie in the box and in the ball, but for float32 rounding."""
        low, high = self.box
        room = self.eps * (1 + SLACK) + SLACK * (1 if self.norm == "linf" else start[0].numel() ** 0.5)
        flat = x.flatten(1)
        return (self.distance(x, start) <= room) & (flat.amin(1) >= low) & (flat.amax(1) <= high)

    def step(self, size: float | str) -> float:
        """The length of a step: absolute when bare, `1/4 eps` relative; refused above 2 eps."""
        if isinstance(size, str):
            text, relative = size.strip().removesuffix("eps"), size.strip().endswith("eps")
            number = as_real(text) if text.strip() else 1.0
            if not isinstance(number, float):
                raise error("step_size", "not a length", given=size, remedy="write 0.01, 2/255 or 1/4 eps")
            length = number * self.eps if relative else number
        else:
            length = float(size)
        if self.eps and not 0 < length <= 2 * self.eps * (1 + 1e-9):
            raise error(
                "step_size",
                f"a step must be above 0 and at most 2 eps = {2 * self.eps:.6g}",
                given=f"{size} = {length:.6g}" if isinstance(size, str) else size,
                remedy="eps and step_size may be swapped; a relative step is written 1/4 eps",
            )
        return length

    def __str__(self) -> str:
        levels = self.eps * 255
        exact = abs(levels - round(levels)) < 1e-9 and len(repr(self.eps)) > 6
        return f"{self.norm} eps {round(levels)}/255" if exact else f"{self.norm} eps {self.eps:g}"


@dataclass(frozen=True)
class Batch:
    """Images `x` (B,C,H,W) in the box and their classes `y` (B,)."""

    x: Tensor
    y: Tensor

    def to(self, device: torch.device) -> Batch:
        """The same on `device`."""
        return Batch(self.x.to(device), self.y.to(device))


@dataclass(frozen=True, eq=False)
class Path:
    """Points of a walk, detached; a path is equal to itself only.

    `x` (T,B,C,H,W): `x[0]` is the clean start, then one projected point per step (the start noise is
    not a point). `y` (B,) is the class of the start image, `goal` (B,) the class walked toward.
    `logits` holds the eval-mode answers of the student that the attack has already paid for, by point.
    """

    x: Tensor
    y: Tensor
    goal: Tensor | None = None
    logits: Mapping[int, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True, kw_only=True)
class Record:
    """One measured number. `parts` splits it, `epoch` and `step` say when, `n` over how many images.

    `stage` says of which training: `teacher` or `student`.
    """

    name: str
    value: float
    n: int | None = None
    interval: tuple[float, float] | None = None
    seconds: float | None = None
    epoch: int | None = None
    step: int | None = None
    stage: str = "student"
    parts: Mapping[str, float] = field(default_factory=dict)


def silent(*_: object, **__: object) -> None:
    """Takes what is reported, and tells nobody."""
