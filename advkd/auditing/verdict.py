"""The outcome of an audit, computed from its bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from advkd.auditing.curves import Point
from advkd.auditing.ledger import LedgerEntry
from advkd.auditing.probe import Flag
from advkd.config.entries import CLEAN
from advkd.result import Interval, wilson


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One network: its entries by attack (`clean` among them) and the classes `y` (n,) of the examples.

    `complete` is False where the budget ran out or no attack came to its end: `robust` is then an upper
    bound.
    """

    entries: Mapping[str, LedgerEntry]
    y: Tensor
    classes: int
    complete: bool = True

    @property
    def n(self) -> int:
        """How many examples."""
        return len(self.y)

    @property
    def survivors(self) -> Tensor:
        """(n,) bool: right when clean and not broken by any attack."""
        broken = torch.stack([entry.broken for entry in self.entries.values()]).any(0)
        return self.entries[CLEAN].right & ~broken

    @property
    def clean(self) -> float:
        """Clean accuracy, 0..1."""
        return _share(self.entries[CLEAN].right)

    @property
    def robust(self) -> float:
        """Worst-case accuracy, 0..1: every example against the attack that breaks it."""
        return _share(self.survivors)

    @property
    def interval(self) -> dict[str, Interval]:
        """95 % Wilson intervals of `clean` and `robust`."""
        clean = int(self.entries[CLEAN].right.sum())
        return {CLEAN: wilson(clean, self.n), "robust": wilson(int(self.survivors.sum()), self.n)}

    @property
    def attacks(self) -> dict[str, float]:
        """Accuracy under each attack alone, at most: an example it did not try may stand."""
        return {name: self.alone(name)[1] for name in self.entries if name != CLEAN}

    def alone(self, name: str) -> tuple[float, float]:
        """Least and largest accuracy under one attack alone, whatever it had done where it was not tried.

        An example that is wrong when clean counts as wrong: no attack needs to move it.
        """
        entry, clean = self.entries[name], self.entries[CLEAN].right
        least = clean & entry.tried & entry.right
        return _share(least), _share(clean & ~entry.broken)

    def by_class(self, of: Tensor) -> list[float | None]:
        """The share of `of` (n,) bool in each class; None for a class without examples."""
        parts = [of[self.y == c] for c in range(self.classes)]
        return [_share(part) if len(part) else None for part in parts]

    @property
    def about(self) -> dict[str, Any]:
        """As `result.json` holds it."""
        clean, robust = (self.by_class(of) for of in (self.entries[CLEAN].right, self.survivors))
        known = [value for value in robust if value is not None]
        return {
            "clean": self.clean,
            "robust": self.robust,
            "complete": self.complete,
            "interval": {name: list(ends) for name, ends in self.interval.items()},
            "attacks": self.attacks,
            "details": {name: self._detail(name) for name in self.entries},
            "classes": {
                "clean": clean,
                "robust": robust,
                "worst": min(known),
                "spread": max(known) - min(known),
            },
        }

    def _detail(self, name: str) -> dict[str, Any]:
        entry = self.entries[name]
        # without a cascade images that are wrong as they are have been attacked too
        broken = entry.broken if name == CLEAN else entry.broken & self.entries[CLEAN].right
        return {
            "tried": int(entry.tried.sum()),
            "broken": int(broken.sum()),
            "alone": list(self.alone(name)),
            "median_distance": _median(entry.distance[broken]),
            **entry.about,
        }


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What an audit says of a network, and how far to believe it.

    `rows` by network, the judged one first. `flags` are reasons to doubt it, `not_tried` what was left
    out. `agreement` compares teacher and student: the same answer when clean, the same fate under attack.
    """

    rows: Mapping[str, Standing]
    threat: str
    suite: str
    flags: Sequence[Flag]
    points: Sequence[Point]
    not_tried: Sequence[str]
    cost: Mapping[str, Any]
    environment: Mapping[str, Any]
    agreement: Mapping[str, float] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None

    @property
    def main(self) -> Standing:
        """The judged network."""
        return next(iter(self.rows.values()))

    @property
    def clean(self) -> float:
        """Clean accuracy of the judged network, 0..1."""
        return self.main.clean

    @property
    def robust(self) -> float:
        """Its worst-case accuracy, 0..1; an upper bound unless `complete`."""
        return self.main.robust

    @property
    def complete(self) -> bool:
        """Whether its attacks have come to their end."""
        return self.main.complete

    @property
    def notes(self) -> dict[str, list[str]]:
        """What a reader of a number has to know, by attack."""
        return {name: entry.notes for name, entry in self.main.entries.items() if entry.notes}

    @property
    def about(self) -> dict[str, Any]:
        """The content of `result.json`."""
        rows = {who: row.about for who, row in self.rows.items()}
        main = next(iter(rows))
        return {
            "suite": self.suite,
            "threat": self.threat,
            "n_test": self.main.n,
            "judged": main,
            **rows.pop(main),
            **rows,
            "agreement": dict(self.agreement),
            "flags": [flag.about for flag in self.flags],
            "curves": [point.about for point in self.points],
            "not_tried": list(self.not_tried),
            "cost": dict(self.cost),
            "environment": dict(self.environment),
            "options": dict(self.options),
        }


def _share(of: Tensor) -> float:
    return of.double().mean().item()


def _median(values: Tensor) -> float | None:
    return values.median().item() if len(values) else None
