"""Reporters with one fault each."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from advkd.testing.mutants import planted
from advkd.types import Record


@dataclass(frozen=True, kw_only=True)
class Reporter:
    """Remembers the latest record of each name and does what `run` does."""

    run: Callable[[Record, dict[str, Record]], object]
    _seen: dict[str, Record] = field(default_factory=dict, init=False)

    def __call__(self, record: Record) -> None:
        """Takes one record."""
        self._seen[record.name] = record
        self.run(record, self._seen)


fault = planted("reporters", Reporter)


@fault
def takes_a_run(record: Record, seen: dict[str, Record]) -> None:
    """It counts on a run that starts at its first epoch."""
    if record.name == "train.epochs" and record.parts["done"]:
        raise ValueError("this run has begun before")


@fault
def takes_any_record(record: Record, seen: dict[str, Record]) -> object:
    """It counts on a loss before the end of an epoch."""
    return seen["train.loss"] if record.name == "epoch.seconds" else None


@fault
def takes_any_number(record: Record, seen: dict[str, Record]) -> object:
    """It rounds."""
    return round(record.value)


@fault
def records_not_written(record: Record, seen: dict[str, Record]) -> None:
    """It empties the parts it has shown."""
    if isinstance(record.parts, dict):
        record.parts.clear()


@fault
def leaves_no_trace(record: Record, seen: dict[str, Record]) -> object:
    """It picks a colour at random."""
    return random.random()
