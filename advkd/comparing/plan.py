"""What a request comes to: the runs of every entrant, on equal terms or with their differences named."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from advkd.auditing.case import OF_SETTING, resolve_case
from advkd.comparing.differences import changes, differences
from advkd.comparing.estimate import lengthened
from advkd.comparing.request import Entrant, Request
from advkd.config.resolve import resolve
from advkd.config.run import Run
from advkd.data.split import for_every_class
from advkd.errors import AdvkdError, Problem, error
from advkd.fingerprints import digits
from advkd.models.trained import Trained
from advkd.protocols import Evaluator
from advkd.training.teachers import cached

ENGINE = ("device", "compile", "precision")
"""How networks are run, which is no part of what a cell is called."""

MISSED = 0.05
"""The part of equal compute by which whole epochs may miss it without a word."""


@dataclass(frozen=True)
class Cell:
    """One training and its audit."""

    label: str
    run: Run

    @property
    def name(self) -> str:
        """Names the folder: the same wherever the same run is asked for."""
        return f"{self.run.preset}-{self.run.hash}-{self.run.seed}"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A request with its runs: `cells` in the order they are made, `differences` in words."""

    request: Request
    cells: Sequence[Cell]
    differences: Sequence[str]

    @property
    def labels(self) -> list[str]:
        """The rows."""
        return list(dict.fromkeys(cell.label for cell in self.cells))

    @property
    def runs(self) -> dict[str, Run]:
        """The run of the first seed by label."""
        runs: dict[str, Run] = {}
        for cell in self.cells:
            runs.setdefault(cell.label, cell.run)
        return runs

    @property
    def learning(self) -> list[Run]:
        """Those of `runs` whose method asks the teacher."""
        return [run for run in self.runs.values() if "teacher" in run.nets]

    @property
    def first(self) -> Run:
        """The run that stands for what all share."""
        return self.cells[0].run

    @property
    def about(self) -> dict[str, Any]:
        """What the comparison is, as `comparison.yaml` holds it."""
        request = self.request
        return {
            "setting": self.first.setting,
            "cells": {cell.name: cell.label for cell in self.cells},
            "seeds": list(request.seeds),
            "equal": request.equal,
            "on": request.on,
            "suite": request.suite,
            "limit": request.limit,
        }

    @property
    def hash(self) -> str:
        """Eight digits that name the comparison."""
        return digits(self.about)


def planned(request: Request) -> Plan:
    """The plan of a request; nothing starts if any word of any entrant is wrong.

    Raises `AdvkdError` with every problem, and for presets that change their setting unless the request
    allows it.
    """
    runs = _resolved(request)
    _judgeable(request, runs)
    _distinct(runs, "vary" if any(word.startswith("vary=") for word in request.words) else "presets")
    hidden = [text for entrant in request.entrants for text in changes(entrant, runs)]
    if hidden and not request.allow:
        raise error(
            "presets",
            "they change their setting, so more than the method differs",
            given="; ".join(hidden),
            remedy="write allow=differences to compare anyway",
        )
    missed: list[str] = []
    if request.equal == "compute":
        runs, missed = _levelled(runs)
    cells = [Cell(label, _with(run, seed=seed)) for seed in request.seeds for label, run in runs.items()]
    asked = asking(cells[0].run, request.suite) if teachers(runs.values()) > 1 else []
    apart = [f"attacks: {', '.join(asked)} use each one's teacher, and teachers differ"] if asked else []
    return Plan(request=request, cells=cells, differences=[*differences(runs), *missed, *apart])


def _resolved(request: Request) -> dict[str, Run]:
    problems: list[Problem] = []
    runs = {}
    for entrant in request.entrants:
        run = _run(entrant, request.shared, problems)
        if run is not None:
            runs[entrant.label] = run
    if problems:
        raise AdvkdError(*problems)
    return runs


def _distinct(runs: Mapping[str, Run], place: str) -> None:
    by_hash: dict[str, list[str]] = {}
    for label, run in runs.items():
        by_hash.setdefault(run.hash, []).append(label)
    for labels in by_hash.values():
        if len(labels) > 1:
            own = "" if place == "vary" else ", or give it words of its own: LABEL.key=value"
            problem, remedy = "the same run under two labels", f"leave one out{own}"
            raise error(place, problem, given=", ".join(labels), remedy=remedy)


def _judgeable(request: Request, runs: Mapping[str, Run]) -> None:
    """Refuses before anything is trained what could not be judged alike, or not at all."""
    shared = (*OF_SETTING, *ENGINE)
    apart = [text for text in differences(runs) if text.partition(":")[0].partition(".")[0] in shared]
    if apart:
        raise error(
            "presets",
            f"entrants that differ in {', '.join(shared[:-1])} or {shared[-1]} cannot be compared",
            given="; ".join(apart),
            remedy="set these for all: key=value without a label",
        )
    first = next(iter(runs.values()))
    for_every_class("limit", request.limit, first.data.classes)
    asked = asking(first, request.suite)
    without = [label for label, run in runs.items() if run.teacher is None]
    if asked and 0 < len(without) < len(runs):
        raise error(
            "presets",
            f"have no teacher, which suite {request.suite} needs for {', '.join(asked)}",
            given=", ".join(without),
            remedy="keep it: these attacks need it even where the student learns from no teacher",
        )


def attacks_on(run: Run, suite: str) -> Mapping[str, Evaluator]:
    """The attacks of a suite on what `run` will have trained; raises if it cannot be judged so."""
    terms = [f"{key}={json.dumps(run.resolved[key])}" for key in OF_SETTING]
    # there is no student yet: a network of this form is opened when it is judged, and this one never
    case = resolve_case("student.py:student", f"suite={suite}", *terms)
    if case.budget is not None:
        raise error(
            "suite",
            "has a budget, which ends an audit before every image has been tried",
            given=f"{suite}, budget {case.budget}",
            remedy="take the budget out of the suite; limit=1000 judges fewer images",
        )
    return case.evaluators


def asking(run: Run, suite: str) -> list[str]:
    """The attacks of a suite that ask the teacher of whom they attack."""
    return [name for name, one in attacks_on(run, suite).items() if "teacher" in getattr(one, "nets", ())]


def teachers(runs: Iterable[Run]) -> int:
    """How many teachers runs have."""
    known = [run for run in runs if run.teacher is not None]
    told = [str(cached(r)) if isinstance(r.teacher, Trained) else repr(r.resolved["teacher"]) for r in known]
    return len(set(told))


def _run(entrant: Entrant, shared: Sequence[str], problems: list[Problem]) -> Run | None:
    try:
        # shared words first, so that those of one entrant win
        run = resolve(entrant.words[0], *shared, *entrant.words[1:])
    except AdvkdError as cause:
        problems += [replace(p, place=f"{entrant.label}: {p.place}") for p in cause.problems]
        return None
    # the audit judges a cell, and nothing else may see the test images
    return _with(run, evaluation={})


def _levelled(runs: Mapping[str, Run]) -> tuple[dict[str, Run], list[str]]:
    """The runs, each so long that it spends what the first does; in words, where whole epochs miss that."""
    epochs = {label: run.epochs for label, run in runs.items()}
    if len({*epochs.values()}) > 1:
        raise error(
            "equal",
            "compute sets the epochs of each, but different ones were given",
            given=", ".join(f"{label} {n}" for label, n in epochs.items()),
            remedy="give all the same epochs=N, or write equal=epochs",
        )
    found, first = lengthened(runs), next(iter(runs))
    missed = []
    for label, (_, share) in found.items():
        if abs(share - 1) > MISSED:
            how = "more" if share > 1 else "less"
            missed.append(f"compute: {label} spends {100 * abs(share - 1):.0f} % {how} than {first}")
    return {label: _with(runs[label], epochs=n) for label, (n, _) in found.items()}, missed


def _with(run: Run, **changes: Any) -> Run:
    """The run with plain options changed."""
    return replace(run, **changes, resolved={**run.resolved, **changes})
