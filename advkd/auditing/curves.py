"""Sanity curves: accuracy against eps, steps and restarts, on a fixed subset of the examples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from advkd.auditing.bench import Bench
from advkd.auditing.ledger import LedgerEntry
from advkd.config.case import Curves
from advkd.registry import load
from advkd.types import Threat

WHO = "curves"
ONE_STEP = "one step"
STEPS = 20
"""Of the curve over eps."""


@dataclass(frozen=True)
class Point:
    """What PGD leaves standing: `axis` is `eps`, `steps` or `restarts`, `value` a number on it."""

    axis: str
    value: float
    entry: LedgerEntry

    @property
    def accuracy(self) -> float:
        """Of the examples tried, 0..1."""
        return self.entry.right[self.entry.tried].double().mean().item()

    @property
    def about(self) -> dict[str, Any]:
        """As `result.json` holds it."""
        n = int(self.entry.tried.sum())
        return {"axis": self.axis, "value": self.value, "accuracy": self.accuracy, "n": n}


def width(threat: Threat, pixels: int) -> float:
    """The eps at which the ball around any image holds the whole box."""
    low, high = threat.box
    return (high - low) * (1.0 if threat.norm == "linf" else pixels**0.5)


def drawn(bench: Bench, net: nn.Module, how: Curves, rows: Tensor, chance: float) -> list[Point]:
    """Every point of the three curves; that over eps leaps to its end once no more than `chance` is left."""
    curves = _Curves(bench, net, rows)
    points = [Point("eps", 0.0, curves.at(bench.threat.eps * 0))]
    *grid, most = _grid(bench, how)
    for eps in grid:
        points.append(Point("eps", eps, curves.at(eps)))
        if points[-1].accuracy <= chance:
            break
    points.append(Point("eps", most, curves.at(most)))
    points += [Point("steps", n, curves.pgd(f"steps {n}", steps=n)) for n in how.steps]
    points += [Point("restarts", n, curves.pgd(f"restarts {n}", restarts=n)) for n in how.restarts]
    fgsm = bench.attack(WHO, net, ONE_STEP, load("evaluators", "fgsm")(), rows)
    return [*points, Point(ONE_STEP, 1, fgsm)]


def _grid(bench: Bench, how: Curves) -> Iterator[float]:
    most = width(bench.threat, bench.images.x[0].numel())
    for eps in sorted(factor * bench.threat.eps for factor in how.eps):
        if 0 < eps < most:
            yield eps
    yield most


@dataclass(frozen=True)
class _Curves:
    bench: Bench
    net: nn.Module
    rows: Tensor

    def at(self, eps: float) -> LedgerEntry:
        threat = replace(self.bench.threat, eps=eps)
        return self.pgd(f"eps {eps:.6g}", threat=threat)

    def pgd(
        self, name: str, *, steps: int = STEPS, restarts: int = 1, threat: Threat | None = None
    ) -> LedgerEntry:
        attack = load("evaluators", "pgd")(steps=steps, restarts=restarts, loss="margin")
        return self.bench.attack(WHO, self.net, name, attack, self.rows, threat=threat, stream=WHO)
