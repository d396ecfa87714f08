"""Errors a user can act on: where, what was given, the nearest valid name, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong with what was given, and its remedy."""

    place: str
    problem: str
    given: str = ""
    nearest: str = ""
    names: Sequence[str] = field(default=())
    remedy: str = ""

    def __str__(self) -> str:
        rows = [
            ("given", self.given),
            ("nearest", self.nearest),
            ("names", ", ".join(self.names)),
            ("do", self.remedy),
        ]
        lines = [f"{self.place}: {self.problem}"]
        lines += [f"  {label:<8} {text}" for label, text in rows if text]
        return "\n".join(lines)


class AdvkdError(Exception):
    """What the command line prints without a traceback, with exit status 2."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(*problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a run; `folder` holds what there is to go on with."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))
        self.folder = folder


def error(place: str, problem: str, *, given: object = "", remedy: str = "") -> AdvkdError:
    """An `AdvkdError` of one problem."""
    return AdvkdError(Problem(place=place, problem=problem, given=str(given), remedy=remedy))


def at_least_one(**counts: int | None) -> None:
    """Raises `AdvkdError` for the first of `counts` that is below 1."""
    for place, count in counts.items():
        if count is not None and not count >= 1:
            raise error(place, "must be at least 1", given=count)


def nearest(name: str, names: Iterable[str]) -> str:
    """The valid name that looks most like `name`, or the empty string."""
    known = {valid.casefold(): valid for valid in names}
    close = difflib.get_close_matches(str(name).casefold(), list(known), n=1, cutoff=0.5)
    return known[close[0]] if close else ""


def unknown(place: str, what: str, name: str, names: Iterable[str], remedy: str = "") -> Problem:
    """The problem of a name that nothing answers to."""
    # YAML reads `on` and `1` as no text
    name, known = str(name), sorted(map(str, names))
    return Problem(
        place=place,
        problem=f"unknown {what}",
        given=name,
        nearest=nearest(name, known),
        names=known,
        remedy=remedy,
    )
