"""What a request comes to: the runs of every entrant, on equal terms or with their differences named."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from advkd.auditing.case import OF_SETTING, resolve_case
from advkd.comparing.estimate import lengthened
from advkd.comparing.request import Entrant, Request
from advkd.config.layers import named
from advkd.config.resolve import resolve
from advkd.config.run import Run
from advkd.errors import AdvkdError, Problem, error

LEARNED = ("preset", "method", "modifiers", "seed")
"""What an entrant may have of its own: what is learned. All else is the setting."""


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
        return {cell.label: cell.run for cell in reversed(self.cells)}

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
        return hashlib.sha256(json.dumps(self.about, sort_keys=True).encode()).hexdigest()[:8]


def planned(request: Request) -> Plan:
    """The plan of a request; nothing starts if any word of any entrant is wrong.

    Raises `AdvkdError` with every problem, and for presets that change their setting unless the request
    allows it.
    """
    runs = _resolved(request)
    _judgeable(request, runs)
    hidden = [text for entrant in request.entrants for text in _changes(entrant, runs[entrant.label].setting)]
    if hidden and not request.allow:
        raise error(
            "presets",
            "they change their setting, so more differs than what is learned",
            given="; ".join(hidden),
            remedy="write allow=differences to compare all the same",
        )
    if request.equal == "compute":
        runs = {label: _with(runs[label], epochs=n) for label, n in lengthened(runs).items()}
    cells = [Cell(label, _with(run, seed=seed)) for seed in request.seeds for label, run in runs.items()]
    return Plan(request=request, cells=cells, differences=_differences(runs))


def _resolved(request: Request) -> dict[str, Run]:
    problems: list[Problem] = []
    runs = {}
    for entrant in request.entrants:
        run = _run(entrant, request.shared, problems)
        if run is not None:
            runs[entrant.label] = run
    if problems:
        raise AdvkdError(*problems)
    by_hash: dict[str, list[str]] = {}
    for label, run in runs.items():
        by_hash.setdefault(run.hash, []).append(label)
    for labels in by_hash.values():
        if len(labels) > 1:
            remedy = "leave one out, or give it words of its own: LABEL.key=value"
            raise error("presets", "the same run under two labels", given=", ".join(labels), remedy=remedy)
    return runs


def _judgeable(request: Request, runs: Mapping[str, Run]) -> None:
    """Refuses before anything is trained what could not be judged alike, or not at all."""
    apart = [text for text in _differences(runs) if text.partition(":")[0].partition(".")[0] in OF_SETTING]
    if apart:
        raise error(
            "presets",
            "entrants that differ in data, split or threat cannot be compared",
            given="; ".join(apart),
            remedy="give such words to all: key=value without a label",
        )
    run = next(iter(runs.values()))
    terms = [f"{key}={json.dumps(run.resolved[key])}" for key in OF_SETTING]
    # there is no student yet: a network of this form is opened when it is judged, and this one never
    case = resolve_case("student.py:student", f"suite={request.suite}", *terms)
    if case.budget is not None:
        raise error(
            "suite",
            "has a budget, which ends an audit before every image has been tried",
            given=f"{request.suite}, budget {case.budget}",
            remedy="take the budget out of the suite; limit=1000 judges fewer images",
        )


def _run(entrant: Entrant, shared: Sequence[str], problems: list[Problem]) -> Run | None:
    try:
        # shared words first, so that those of one entrant win
        run = resolve(entrant.words[0], *shared, *entrant.words[1:])
    except AdvkdError as cause:
        problems += [replace(p, place=f"{entrant.label}: {p.place}") for p in cause.problems]
        return None
    # the audit judges a cell, and nothing else may see the test images
    return _with(run, evaluation={})


def _changes(entrant: Entrant, setting: str) -> Iterator[str]:
    """What a preset changes of its setting, in words."""
    before = dict(_leaves(named("settings", setting), ""))
    preset = entrant.words[0].partition("=")[2]
    for key, value in _leaves(named("presets", preset), ""):
        if key.partition(".")[0] not in LEARNED and before.get(key) != value:
            yield f"{entrant.label} sets {key}={value}"


def _differences(runs: Mapping[str, Run]) -> list[str]:
    """Every option besides what is learned that is not the same for all, in words."""
    options = {label: dict(_leaves(run.resolved, "")) for label, run in runs.items()}
    keys = dict.fromkeys(key for of in options.values() for key in of)
    found = []
    for key in keys:
        values = {label: of.get(key) for label, of in options.items()}
        if key.partition(".")[0] not in LEARNED and len({repr(value) for value in values.values()}) > 1:
            found.append(f"{key}: " + ", ".join(f"{label} {value}" for label, value in values.items()))
    return found


def _leaves(node: Any, place: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, Mapping) and node:
        for key, value in node.items():
            yield from _leaves(value, f"{place}.{key}".lstrip("."))
    else:
        yield place, node


def _with(run: Run, **changes: Any) -> Run:
    """The run with plain options changed."""
    return replace(run, **changes, resolved={**run.resolved, **changes})
