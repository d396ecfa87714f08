"""What a report is made of: plain numbers of every student, read from folders (`reading`)."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from advkd.config.entries import CLEAN
from advkd.result import Interval, wilson
from advkd.statistics.family import on_equal_seeds

Bits = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """Clean and robust accuracy, 0..1, of a network on `n` images."""

    clean: float
    robust: float
    n: int

    def interval(self, what: str) -> Interval:
        """The 95 % Wilson interval of `clean` or `robust`."""
        return wilson(round(getattr(self, what) * self.n), self.n)


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One evaluation of one student on n images: who was tried and who stands, by attack, (n,) each.

    `right` holds `clean` too. `by_class` is robust accuracy per class, None without images. `shown` names the
    evaluation, `terms` are to agree before two are compared, `teacher_mark` tells whom attacks could ask.
    """

    shown: str
    terms: Mapping[str, str]
    right: Mapping[str, Bits]
    tried: Mapping[str, Bits]
    by_class: Sequence[float | None] = ()
    last: Scores | None = None
    teacher: Scores | None = None
    teacher_mark: str | None = None
    audit: Mapping[str, Any] | None = None

    @property
    def attacks(self) -> list[str]:
        """Every attack, in the order it was run."""
        return [name for name in self.right if name != CLEAN]

    def broken(self, attack: str) -> Bits:
        """(n,): right when clean, attacked, and wrong then."""
        return self.right[CLEAN] & self.tried[attack] & ~self.right[attack]

    @property
    def survivors(self) -> Bits:
        """(n,): right when clean and not broken by any attack."""
        broken = [self.broken(name) for name in self.attacks]
        return self.right[CLEAN] & ~np.any(broken, axis=0) if broken else self.right[CLEAN]

    @property
    def scores(self) -> Scores:
        """Clean and worst-case accuracy."""
        return Scores(float(self.right[CLEAN].mean()), float(self.survivors.mean()), len(self.right[CLEAN]))

    def alone(self, attack: str) -> float:
        """Accuracy under one attack alone, at most: an image it did not try may stand."""
        return float((self.right[CLEAN] & ~self.broken(attack)).mean())

    def exact(self, attack: str) -> bool:
        """Whether an attack was tried on every image that is right when clean."""
        return not (self.right[CLEAN] & ~self.tried[attack]).any()

    @property
    def part(self) -> str | None:
        """The part of the data it was judged on; None where nobody says."""
        return ((self.audit or {}).get("options") or {}).get("part")

    @property
    def complete(self) -> bool:
        """Whether every attack was run to its end."""
        return self.audit is None or bool(self.audit.get("complete", True))


@dataclass(frozen=True, kw_only=True)
class History:
    """How a student came about: by epoch (E,) and term (E,T), at what cost, on which machine and engine."""

    clean: Floats
    robust: Floats
    loss: Floats
    weights: Mapping[str, Floats] = field(default_factory=dict)
    cost: Mapping[str, float] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    engine: Mapping[str, bool] = field(default_factory=dict)
    notes: Sequence[str] = ()

    @property
    def best(self) -> int:
        """The index of the epoch whose student was kept."""
        robust = self.robust if len(self.robust) else np.zeros(len(self.clean))
        # a training that was killed may have left one of the two without the other
        return max(range(min(len(self.clean), len(robust))), key=lambda i: (robust[i], self.clean[i], -i))


@dataclass(frozen=True, kw_only=True)
class Strips:
    """The paths of a few images on one branch, T points each, and the shares of many still right there.

    `x` (T,M,C,H,W) uint8; by network `margin` (T,M) in [-1,1], `said` (T,M) classes, `right` (T,).
    """

    x: NDArray[np.uint8]
    goal: NDArray[np.int64] | None
    margin: Mapping[str, Floats]
    said: Mapping[str, NDArray[np.int64]]
    right: Mapping[str, Floats]


@dataclass(frozen=True, kw_only=True)
class Paths:
    """The traced paths of a student, by branch; `y` (M,) are the true classes, `n` how many are counted."""

    y: NDArray[np.int64]
    n: int
    threat: str
    branches: Mapping[str, Strips]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One student: its name (the method's, with modifiers), hash, seed, and all there is about it.

    `config` is its run's, every option filled in; empty for a network that no run has made.
    """

    name: str
    hash: str = ""
    seed: int | None
    folder: Path
    judged: Judged | None
    history: History | None = None
    paths: Paths | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    scales: float | None = None
    error: str | None = None

    @property
    def cost(self) -> Mapping[str, float]:
        """What training it cost; empty where nobody knows."""
        return self.history.cost if self.history else {}


@dataclass(frozen=True)
class Group:
    """The judged students of one method; `apart` if it lacks seeds the others of a comparison have."""

    name: str
    index: int
    rows: Sequence[Row]
    apart: bool = False

    @property
    def judged(self) -> list[Judged]:
        """The evaluations of all its students."""
        return [row.judged for row in self.rows if row.judged is not None]

    @property
    def first(self) -> Row:
        """Its first student, which pictures of single students show."""
        return self.rows[0]

    def values(self, what: str) -> list[float]:
        """`clean` or `robust` of every student, or an entry of the cost of those that know theirs."""
        if what in ("clean", "robust"):
            return [getattr(judged.scores, what) for judged in self.judged]
        return [float(row.cost[what]) for row in self.rows if row.cost.get(what) is not None]

    def mean(self, what: str) -> float | None:
        """The mean over seeds; None where nothing is known."""
        values = self.values(what)
        return statistics.fmean(values) if values else None

    def sd(self, what: str) -> float | None:
        """The standard deviation over seeds; None for fewer than two."""
        values = self.values(what)
        return statistics.stdev(values) if len(values) > 1 else None

    def spread(self, what: str) -> Interval:
        """Mean ± SD over several seeds, the 95 % Wilson interval of a single one."""
        if (sd := self.sd(what)) is None:
            return self.judged[0].scores.interval(what)
        mean = statistics.fmean(self.values(what))
        return max(0.0, mean - sd), min(1.0, mean + sd)


@dataclass(frozen=True, kw_only=True)
class Material:
    """All students of one report; `comparison` is the `result.json` of a comparison, where there is one."""

    rows: Sequence[Row]
    comparison: Mapping[str, Any] | None = None

    @property
    def groups(self) -> list[Group]:
        """The methods with a student that was judged; those of a comparison on the seeds that all have."""
        named: dict[str, list[Row]] = {}
        for row in self.rows:
            if row.judged is not None:
                named.setdefault(row.name, []).append(row)
        if self.comparison is None:
            return [Group(name, i, rows) for i, (name, rows) in enumerate(named.items())]
        seeds = {name: [row.seed for row in rows if row.seed is not None] for name, rows in named.items()}
        equal = on_equal_seeds(seeds)
        return [
            Group(name, i, [r for r in rows if r.seed in equal.get(name, seeds[name])], name not in equal)
            for i, (name, rows) in enumerate(named.items())
        ]

    @property
    def judged(self) -> Judged:
        """The first evaluation; all agree in threat and images."""
        return self.groups[0].judged[0]

    @property
    def n(self) -> int:
        """How many images everybody was judged on."""
        return self.judged.scores.n

    @property
    def threat(self) -> str:
        """The threat everybody was judged under."""
        return self.judged.terms["threat"]

    @property
    def images(self) -> str:
        """How many images of which split."""
        return f"{self.n} {self.judged.part or (self.comparison or {}).get('on', 'test')} images"

    @property
    def single(self) -> Row | None:
        """The only student, where there is one alone."""
        return self.rows[0] if len(self.rows) == 1 else None
