"""Measured outcomes, one bit per example and attack, and what is computed from them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

Interval = tuple[float, float]


def wilson(right: int, n: int, z: float = 1.959964) -> Interval:
    """The 95 % interval of a fraction. Source: Wilson, JASA 1927."""
    if n == 0:
        return 0.0, 1.0
    p, share = right / n, z * z / n
    centre = (p + share / 2) / (1 + share)
    half = z * math.sqrt(p * (1 - p) / n + share / (4 * n)) / (1 + share)
    # rounding must not put an end on the wrong side of the fraction
    return max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half))


def percent(share: float | Sequence[float] | None) -> str:
    """A share as per cent, a dash for none; a range as both of its ends, or once where they agree."""
    if share is None:
        return "-"
    if isinstance(share, (int, float)):
        return f"{100 * share:.1f}"
    low, high = (f"{100 * end:.1f}" for end in share)
    return low if low == high else f"{low} to {high}"


@dataclass(frozen=True, kw_only=True)
class Result:
    """Which of `n` examples a network gets right under each attack: `right[name]` is (n,) bool.

    `robust` is the worst case: an example counts only if it survives every attack and is right when
    clean. Where no attack was run it is `clean`, of a run with `evaluation={}` on validation images. A
    trained student also has `last` (its last epoch), `teacher`, `cost`, `folder`, `net` and `modifiers`,
    their names.
    """

    right: Mapping[str, Tensor]
    seconds: Mapping[str, float] = field(default_factory=dict)
    last: Result | None = None
    teacher: Result | None = None
    cost: Mapping[str, float] = field(default_factory=dict)
    modifiers: tuple[str, ...] = ()
    folder: Path | None = None
    net: nn.Module | None = field(default=None, repr=False)

    @property
    def n(self) -> int:
        """How many examples."""
        return len(next(iter(self.right.values())))

    @property
    def survivors(self) -> Tensor:
        """(n,) bool: right when clean and under every attack."""
        return torch.stack(list(self.right.values())).all(0)

    @property
    def clean(self) -> float:
        """Clean accuracy, 0..1."""
        return self.accuracy("clean")

    @property
    def robust(self) -> float:
        """Worst-case accuracy, 0..1."""
        return self.survivors.double().mean().item()

    @property
    def attacks(self) -> dict[str, float]:
        """Accuracy under each attack alone."""
        return {name: self.accuracy(name) for name in self.right if name != "clean"}

    @property
    def interval(self) -> dict[str, Interval]:
        """95 % Wilson intervals of `clean` and `robust`."""
        clean, robust = self.right["clean"], self.survivors
        return {
            "clean": wilson(int(clean.sum()), self.n),
            "robust": wilson(int(robust.sum()), self.n),
        }

    def accuracy(self, name: str) -> float:
        """Accuracy under one attack, 0..1."""
        return self.right[name].double().mean().item()
