"""Weights that depend on the step index alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from advkd.errors import error
from advkd.step import Step
from advkd.types import Real
from advkd.view import View


def _steps(view: View, values: Iterable[float]) -> Tensor:
    x = view.path.x
    return x.new_tensor(list(values))[:, None].expand(-1, x.shape[1])


class _AtPoints:
    """One at the points that a weighting names, zero elsewhere."""

    def points(self, t: int) -> tuple[int, ...]:
        raise NotImplementedError

    def __call__(self, view: View, step: Step) -> Tensor:  # noqa: ARG002
        """(T,B) of zeros and ones."""
        chosen = self.points(len(view.path))
        return _steps(view, [float(k in chosen) for k in range(len(view.path))])


@dataclass(frozen=True, kw_only=True)
class Uniform:
    """The same weight everywhere: the baseline every adaptive weighting has to beat.

    Source: W0 of the usual ablation; the plain control of AdvSimplex (ICML 2025).
    """

    def __call__(self, view: View, step: Step) -> Tensor:  # noqa: ARG002
        """(T,B) ones."""
        return _steps(view, [1.0] * len(view.path))


@dataclass(frozen=True, kw_only=True)
class Start(_AtPoints):
    """The clean image only."""

    def points(self, t: int) -> tuple[int, ...]:  # noqa: ARG002
        """Index 0."""
        return (0,)


@dataclass(frozen=True, kw_only=True)
class End(_AtPoints):
    """The last point only: what every method before the path methods trains on."""

    def points(self, t: int) -> tuple[int, ...]:
        """Index T - 1."""
        return (t - 1,)


@dataclass(frozen=True, kw_only=True)
class Ends(_AtPoints):
    """The clean image and the last point, one each."""

    def points(self, t: int) -> tuple[int, ...]:
        """Index 0 and index T - 1."""
        return tuple(sorted({0, t - 1}))


@dataclass(frozen=True, kw_only=True)
class Linear:
    """(k / K)^power: later steps count more.

    Source: a control of AdvSimplex (ICML 2025), there with power 1.
    """

    power: Real = 1.0

    def __post_init__(self) -> None:
        if self.power < 0:
            raise error("power", "must not be negative", given=self.power)

    def __call__(self, view: View, step: Step) -> Tensor:  # noqa: ARG002
        """(T,B)."""
        last = max(len(view.path) - 1, 1)
        return _steps(view, [(k / last) ** self.power for k in range(len(view.path))])


@dataclass(frozen=True, kw_only=True)
class GaussianStep:
    """A bell over the step index: exp(-(k/K - centre)^2 / (2 width^2)), both as fractions of the path."""

    centre: Real = 0.5
    width: Real = 0.2

    def __post_init__(self) -> None:
        if self.width <= 0:
            raise error("width", "must be positive", given=self.width)

    def __call__(self, view: View, step: Step) -> Tensor:  # noqa: ARG002
        """(T,B)."""
        last = max(len(view.path) - 1, 1)
        offsets = torch.arange(len(view.path), dtype=torch.float64) / last - self.centre
        return _steps(view, torch.exp(-(offsets**2) / (2 * self.width**2)).tolist())
