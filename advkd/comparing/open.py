"""A comparison from its words to its folder: planned, made cell by cell, concluded, reported."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path

import torch
import yaml

from advkd import weights
from advkd.comparing.cell import Judge, Made, made, teacher_judged
from advkd.comparing.estimate import estimates
from advkd.comparing.outcome import Comparison, concluded
from advkd.comparing.plan import Cell, Plan, planned
from advkd.comparing.pool import Told, parallel
from advkd.comparing.request import parsed
from advkd.config.layers import load_yaml
from advkd.device import chosen
from advkd.engine import SMALL, flops_of
from advkd.errors import AdvkdError, Interrupted, error
from advkd.folder import RESULT, RUN, created, locked
from advkd.models.trained import Trained
from advkd.reporting import report
from advkd.reporting.material import Scores
from advkd.reporting.stored import PLAN
from advkd.splits import split
from advkd.teachers import cached, of_run, provided

log = logging.getLogger("advkd")

CELLS = "cells"


def unheard(index: int, cell: Cell, made: Made) -> None:
    """A cell has ended and nobody wants to know."""


def compare(*words: str, out: str | Path | None = None, told: Told = unheard) -> Comparison:
    """Compares what `words` name, as `advkd compare` does: `"presets=path-dual,rslad", "seeds=0,1,2"`."""
    return compared(planned(parsed(words)), out, told)


def compared(plan: Plan, out: str | Path | None = None, told: Told = unheard) -> Comparison:
    """Makes what is missing of a comparison and concludes it; leaves verdicts, table and report.

    Cells lie beside the comparison's folder, in `cells`, under the hash of their run: another comparison
    there takes them as they are. Raises `AdvkdError` for a folder of something else.
    """
    folder = folder_of(plan, out)
    request, cells = plan.request, folder.parent / CELLS
    judge = Judge(suite=request.suite, part=request.on, limit=request.limit)
    with locked(_begun(folder, plan)):
        try:
            done = _made(plan, judge, cells, told)
            teacher, tflop = _teacher(plan, done, judge, cells), _counted(plan, done)
        except KeyboardInterrupt:
            raise Interrupted(folder) from None
        comparison = concluded(plan, folder, done, teacher, tflop)
        weights.atomic(folder / RESULT, (json.dumps(comparison.about, indent=2) + "\n").encode())
        if comparison.judged:
            report(folder)
    return comparison


def folder_of(plan: Plan, out: str | Path | None) -> Path:
    """Where a comparison goes."""
    name = f"{Path(plan.first.setting).stem}-{plan.hash}"
    # the cells go beside it, and `.` alone does not say where that is
    return Path(out).expanduser().resolve() if out else Path("comparisons") / name


def _begun(folder: Path, plan: Plan) -> Path:
    about = {"hash": plan.hash, **plan.about}
    if (folder / RUN).exists():
        raise error("out", "is the folder of a run", given=folder, remedy="choose another out=DIR")
    if (folder / PLAN).exists():
        there = load_yaml(folder / PLAN, "out", "remove it and run the same command again")
        if there.get("hash") != plan.hash:
            differ = [key for key in about if key != "hash" and there.get(key) != about[key]]
            raise error(
                "out",
                f"is the folder of another comparison: other {', '.join(differ)}",
                given=folder,
                remedy="choose another out=DIR beside it; finished cells are taken from there",
            )
    created(folder)
    weights.atomic(folder / PLAN, yaml.safe_dump(about, sort_keys=False).encode())
    return folder


def _made(plan: Plan, judge: Judge, cells: Path, told: Told) -> list[Made]:
    """Every cell, in order; in `jobs` processes that share the processor's threads."""
    created(cells)
    folders = [cells / cell.name for cell in plan.cells]
    jobs = min(plan.request.jobs or _fitting(plan), len(folders))
    if jobs > 1:
        _teach(unfinished(plan, cells))
        work = list(zip(plan.cells, folders, strict=True))
        return parallel(work, judge, jobs, plan.request.load, told)
    done = []
    for index, (cell, folder) in enumerate(zip(plan.cells, folders, strict=True)):
        done.append(made(cell, judge, folder))
        told(index, cell, done[-1])
    return done


def unfinished(plan: Plan, cells: Path) -> list[Cell]:
    """The cells that are still to be trained in the folder `cells`."""
    return [cell for cell in plan.cells if not (cells / cell.name / RESULT).exists()]


def _teach(cells: Sequence[Cell]) -> None:
    """Trains what cells learn from before there are processes, which would wait for one."""
    runs = [cell.run for cell in cells]
    learning = [run for run in runs if "teacher" in run.nets and isinstance(run.teacher, Trained)]
    for run in {cached(run): run for run in learning}.values():
        if of_run(run) is None:
            # whatever fails, its cells will say so, and the others go on
            with contextlib.suppress(Exception):
                provided(run, split(run.data, run.split), chosen(run.device), lambda record: None)  # noqa: ARG005


def _fitting(plan: Plan) -> int:
    """As many as there are threads where one network keeps no more than one busy, else one."""
    run = plan.first
    net = run.student(run.data.classes, run.data.shape)
    small = flops_of(net, run.data.shape, torch.device("cpu")) < SMALL
    return torch.get_num_threads() if small and chosen(run.device).type == "cpu" else 1


def _teacher(plan: Plan, done: Sequence[Made], judge: Judge, cells: Path) -> Scores | None:
    """What the teacher that all share comes to, where a student has learned from one; None of several."""
    if teachers(plan) > 1:
        return None
    for cell, one in zip(plan.cells, done, strict=True):
        if one.judged is not None and "teacher" in cell.run.nets:
            try:
                return teacher_judged(cell.run, one.folder, judge, cells)
            except AdvkdError as cause:
                # the students are compared without it
                log.warning("the teacher is not judged: %s", cause)
                return None
    return None


def teachers(plan: Plan) -> int:
    """How many teachers the entrants learn from."""
    runs = [run for run in plan.runs.values() if "teacher" in run.nets]
    told = [str(cached(r)) if isinstance(r.teacher, Trained) else repr(r.resolved["teacher"]) for r in runs]
    return len(set(told))


def _counted(plan: Plan, done: Sequence[Made]) -> dict[str, float]:
    """The TFLOP of one training of every entrant that has a student."""
    runs = {c.label: c.run for c, one in zip(plan.cells, done, strict=True) if one.judged is not None}
    try:
        return {label: cost.flops / 1e12 for label, cost in estimates(runs, timed=False).items()}
    # a network or a loss that torch cannot count is no reason to lose what has been trained
    except Exception:
        log.debug("operations are not counted", exc_info=True)
        return {}
