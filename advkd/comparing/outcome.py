"""What the cells say together: rows, verdicts, the headline; the `result.json` of a comparison."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from advkd.comparing.cell import Made
from advkd.comparing.headline import ROBUST, headline
from advkd.comparing.plan import Cell, Plan, asking, teachers
from advkd.config import differing
from advkd.config.entries import CLEAN
from advkd.errors import error
from advkd.reporting.material import Bits, Judged, Scores
from advkd.reporting.stored import read
from advkd.reporting.words import SECONDS
from advkd.statistics.family import on_equal_seeds
from advkd.statistics.methods import MethodVerdict, methods
from advkd.statistics.students import StudentVerdict, students
from advkd.training.folder import RESULT

MACHINERY = ("advkd", "torch", "device", "gpu")
"""What of the surroundings of a training may change what it comes to by more than a rounding."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The outcome of a comparison in `folder`: what was judged, by label and seed, and the verdicts.

    `methods` are of the methods, over seeds; `students` of pairs of students of one seed, on the same
    images. Both are given for robust accuracy and, as `clean_methods` and `clean_students`, for clean.
    `tflop` is what one training took by label, in counted operations.
    """

    plan: Plan
    folder: Path
    made: Sequence[Made]
    judged: Mapping[str, Mapping[int, Judged]]
    teacher: Scores | None = None
    tflop: Mapping[str, float] = field(default_factory=dict)
    methods: Sequence[MethodVerdict] = ()
    students: Sequence[StudentVerdict] = ()
    clean_methods: Sequence[MethodVerdict] = ()
    clean_students: Sequence[StudentVerdict] = ()

    @property
    def n(self) -> int:
        """How many images everybody was judged on; 0 where nobody was."""
        return next((one.scores.n for of in self.judged.values() for one in of.values()), 0)

    @property
    def failed(self) -> list[str]:
        """Label, seed and error of every cell that has failed."""
        cells = zip(self.plan.cells, self.made, strict=True)
        return [f"{cell.label}, seed {cell.run.seed}: {made.error}" for cell, made in cells if made.error]

    @property
    def seeds(self) -> dict[str, tuple[int, ...]]:
        """The seeds that the numbers of a label are taken from; labels with too few of them are missing."""
        return on_equal_seeds(self.judged)

    def values(self, label: str, what: str) -> list[float]:
        """`clean` or `robust` accuracy, 0..1, of the students of a label whose seeds all others have too."""
        found = self.judged[label]
        return [getattr(found[seed].scores, what) for seed in self.seeds.get(label, found)]

    def seconds(self, label: str) -> float | None:
        """The wall time that training a student of a label took, the mean over its seeds, if known."""
        told = [result.get("cost", {}).get(SECONDS) for cell, result in self._trained if cell.label == label]
        return None if None in told else float(np.mean(told))

    def mean(self, label: str, what: str) -> float:
        """The mean of `values`."""
        return float(np.mean(self.values(label, what)))

    @property
    def ranked(self) -> list[str]:
        """The labels on equal seeds, the highest mean robust accuracy first."""
        return sorted(self.seeds, key=lambda label: -self.mean(label, ROBUST))

    @property
    def leading(self) -> list[str]:
        """The labels that share the highest mean robust accuracy; none where nothing was judged."""
        means = {label: self.mean(label, ROBUST) for label in self.ranked}
        return [label for label, mean in means.items() if math.isclose(mean, max(means.values()))]

    @property
    def headline(self) -> str:
        """The verdict in a few sentences."""
        return headline(self)

    @property
    def about(self) -> dict[str, Any]:
        """The content of `result.json`."""
        run, request = self.plan.first, self.plan.request
        load = [f"load={request.load}"] if request.load else []
        return {
            **{key: value for key, value in self.plan.about.items() if key != "cells"},
            "threat": str(run.threat),
            "epochs": {cell.label: cell.run.epochs for cell in self.plan.cells},
            "n": self.n,
            "headline": self.headline,
            "differences": [*self.plan.differences, *self.mixed],
            "words": {entrant.label: list(entrant.words) for entrant in request.entrants},
            "teacher": self.teacher and self._about_teacher(self.teacher),
            "scales": {label: run.scales for label, run in self.plan.runs.items()},
            "rows": self._rows(),
            "methods": [verdict.about for verdict in self.methods],
            "students": [verdict.about for verdict in self.students],
            "clean": {
                "methods": [verdict.about for verdict in self.clean_methods],
                "students": [verdict.about for verdict in self.clean_students],
            },
            "command": shlex.join(["advkd", "compare", *load, *request.words]),
            "tflop": dict(self.tflop),
            "environment": self._environment(),
            "hash": self.plan.hash,
        }

    def _about_teacher(self, scores: Scores) -> dict[str, Any]:
        interval = {what: list(scores.interval(what)) for what in (CLEAN, ROBUST)}
        return {CLEAN: scores.clean, ROBUST: scores.robust, "interval": interval}

    @property
    def mixed(self) -> list[str]:
        """What students were trained or judged with that others were not: advkd, torch, devices."""
        trained = {f"{cell.label} seed {cell.run.seed}": result for cell, result in self._trained}
        audits = {
            f"{label} seed {seed}": one.audit or {}
            for label, seeds in self.judged.items()
            for seed, one in seeds.items()
        }
        found = []
        for what, of in (("", trained), (", judged", audits)):
            for key in MACHINERY:
                surroundings = {name: result.get("environment", {}) for name, result in of.items()}
                values = {name: one[key] for name, one in surroundings.items() if key in one}
                found += [f"{key}{what}: {differing.told(values)}"] if len({*values.values()}) > 1 else []
        return found

    @cached_property
    def _trained(self) -> list[tuple[Cell, dict[str, Any]]]:
        """What the training of every student that was judged has left."""
        cells = zip(self.plan.cells, self.made, strict=True)
        return [(cell, read(made.folder / RESULT)) for cell, made in cells if made.judged is not None]

    def _environment(self) -> dict[str, Any]:
        """What the cells were trained in; where they differ, all there is."""
        told = [result.get("environment", {}) for _, result in self._trained]
        values = {key: list(dict.fromkeys(of[key] for of in told if key in of)) for of in told for key in of}
        return {key: of[0] if len(of) == 1 else ", ".join(map(str, of)) for key, of in values.items()}

    def _rows(self) -> list[dict[str, Any]]:
        def inside(path: Path) -> str:
            return path.relative_to(self.folder.parent).as_posix()

        return [
            {
                "name": cell.label,
                "seed": cell.run.seed,
                "folder": f"../{inside(made.folder)}",
                "audit": f"../{inside(made.audit)}" if made.audit else None,
                "state": "failed" if made.error else "done",
                "error": made.error or None,
                **({} if made.judged is None else vars(made.judged.scores)),
            }
            for cell, made in zip(self.plan.cells, self.made, strict=True)
        ]


def concluded(
    plan: Plan, folder: Path, made: Sequence[Made], teacher: Scores | None, tflop: Mapping[str, float]
) -> Comparison:
    """The comparison of cells that have been made, of their teacher and what their training took.

    A cell whose audit is not on the terms of most others counts as failed.
    """
    made = _alike(plan, made)
    judged: dict[str, dict[int, Judged]] = {}
    for cell, one in zip(plan.cells, made, strict=True):
        if one.judged is not None:
            judged.setdefault(cell.label, {})[cell.run.seed] = one.judged
    robust = _bits(judged, lambda one: one.survivors)
    clean = _bits(judged, lambda one: one.right[CLEAN])
    return Comparison(
        plan=plan,
        folder=folder,
        made=made,
        judged=judged,
        teacher=teacher,
        tflop=tflop,
        methods=methods(robust, family="robust accuracy of the methods"),
        students=students(robust, family="robust accuracy of the students"),
        clean_methods=methods(clean, family="clean accuracy of the methods"),
        clean_students=students(clean, family="clean accuracy of the students"),
    )


def _bits(judged: Mapping[str, Mapping[int, Judged]], of: Any) -> dict[str, dict[int, Bits]]:
    return {label: {seed: of(one) for seed, one in seeds.items()} for label, seeds in judged.items()}


def _alike(plan: Plan, made: Sequence[Made]) -> list[Made]:
    marks = [one.judged.teacher_mark for one in made if one.judged and one.judged.teacher_mark]
    # the file of one teacher may have been another when the attacks of some audits asked it
    asked = marks and teachers(plan.runs.values()) == 1 and asking(plan.first, plan.request.suite)
    usual = max(marks, key=marks.count) if asked else ""

    def terms(judged: Judged) -> dict[str, str]:
        # of older audits nobody knows whom they asked
        return {**judged.terms, "teacher": (judged.teacher_mark or usual) if asked else ""}

    known = [terms(one.judged) for one in made if one.judged is not None]
    most = max(known, key=known.count, default={})
    return [
        one if one.judged is None or (own := terms(one.judged)) == most else _odd(one, own, most)
        for one in made
    ]


def _odd(one: Made, terms: Mapping[str, str], most: Mapping[str, str]) -> Made:
    differs = [key for key in most if terms[key] != most[key]]
    told = error(
        "compare",
        f"not judged with the same {' and '.join(differs)} as the others",
        given="; ".join(f"{terms[key]}, the others {most[key]}" for key in differs),
        remedy=f"find out why its audit differs, and remove {one.audit} to audit it again; "
        "if the test images have changed, put them back or write another out=DIR",
    )
    return Made(one.folder, error=str(told))
