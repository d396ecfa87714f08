"""A comparison from its words to its folder: planned, made cell by cell, concluded, reported."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch

from advkd.comparing.cell import Judge, Made, made, teacher_judged
from advkd.comparing.estimate import estimates
from advkd.comparing.outcome import Comparison, concluded
from advkd.comparing.plan import ENGINE, Cell, Plan, asking, planned, teachers
from advkd.comparing.pool import Told, parallel
from advkd.comparing.provenance import hold, unchanged
from advkd.comparing.request import parsed
from advkd.comparing.waiting import freed, waited
from advkd.config.layers import load_yaml, yaml_text
from advkd.errors import error
from advkd.files import expanded, write_bytes, write_json
from advkd.models.trained import Trained
from advkd.networks.device import chosen, undisturbed
from advkd.networks.engine import large
from advkd.registry.pyfile import imported
from advkd.reporting import report
from advkd.reporting.stored import PLAN
from advkd.reporting.write import PAGE, TABLE, TEXT
from advkd.splits import split
from advkd.training.folder import EXAMPLES, RESULT, RUN, created, locked
from advkd.training.teachers import cached, of_run, provided
from advkd.types import silent

log = logging.getLogger("advkd")

CELLS = "cells"


@undisturbed
def compare(
    *words: str, out: str | Path | None = None, told: Told = silent, load: str | Path | None = None
) -> Comparison:
    """Compares what `words` name, as `advkd compare` does: `"presets=path-dual,rslad", "seeds=0,1,2"`.

    One cell is made at a time, in this process, unless `jobs=` says otherwise; a script that asks for more
    needs `if __name__ == "__main__":`, and its members a file of their own, `load`.
    """
    if load is not None:
        imported(expanded(load), "load")
    return compared(planned(parsed(words, load, jobs=1)), out, told)


def compared(plan: Plan, out: str | Path | None = None, told: Told = silent) -> Comparison:
    """Makes what is missing of a comparison and concludes it; leaves verdicts, table and report.

    Cells lie beside the comparison's folder, in `cells`, under the hash of their run: another comparison
    there takes them as they are. Raises `AdvkdError` for a folder of something else.
    """
    folder = folder_of(plan, out)
    request, cells = plan.request, folder.parent / CELLS
    engine = tuple(f"{key}={plan.first.resolved[key]}" for key in ENGINE)
    judge = Judge(suite=request.suite, part=request.on, limit=request.limit, engine=engine)
    with locked(_begun(folder, plan)):
        done = _made(plan, judge, cells, told)
        teacher, tflop = _teacher(plan, done, judge, cells), _counted(plan, done)
        _unchanged(judge, [*done, teacher])
        scores = None if teacher.judged is None else teacher.judged.scores
        comparison = concluded(plan, folder, done, scores, tflop)
        write_json(folder / RESULT, comparison.about)
        if comparison.judged:
            report(folder)
        else:
            # a page of before tells of cells that are no longer there
            for name in (PAGE, TEXT, TABLE):
                (folder / name).unlink(missing_ok=True)
    return comparison


def folder_of(plan: Plan, out: str | Path | None) -> Path:
    """Where a comparison goes."""
    name = f"{Path(plan.first.setting).stem}-{plan.hash}"
    # the cells go beside it, and `.` alone does not say where that is
    return expanded(out).resolve() if out else Path("comparisons") / name


def _begun(folder: Path, plan: Plan) -> Path:
    about = {"hash": plan.hash, **plan.about}
    _refused(folder)
    if (folder / PLAN).exists():
        there = load_yaml(folder / PLAN, "out", "remove it and run the same command again")
        if there.get("hash") != plan.hash:
            differ = [key for key in about if key != "hash" and there.get(key) != about[key]]
            raise error(
                "out",
                f"holds another comparison, which differs in {', '.join(differ)}",
                given=folder,
                remedy="choose another out=DIR beside it; finished cells are taken from there",
            )
    created(folder)
    write_bytes(folder / PLAN, yaml_text(about).encode())
    return folder


def _refused(folder: Path) -> None:
    """Refuses a folder of something else, whose files those of a comparison would take the place of."""
    taken = {
        "is the folder of a run": (folder / RUN).exists(),
        "is the folder of an audit": (folder / EXAMPLES).exists(),
        "is where comparisons keep their cells": CELLS in (folder.name, folder.parent.name),
    }
    for problem, there in taken.items():
        if there:
            raise error("out", problem, given=folder, remedy="choose another out=DIR")


def _made(plan: Plan, judge: Judge, cells: Path, told: Told) -> list[Made]:
    """Every cell, those that another process is writing last; `jobs` of them at a time."""
    created(cells)
    jobs = min(plan.request.jobs or _fitting(plan), len(plan.cells))
    _teach(plan, cells)
    hold(plan.cells, cells)
    done: dict[int, Made] = {}

    def ended(index: int, cell: Cell, one: Made) -> None:
        done[index] = one
        if one.locked is None:
            told(index, cell, one)

    work = {index: (cell, cells / cell.name) for index, cell in enumerate(plan.cells)}
    left = list(work)
    while left:
        part = {index: work[index] for index in left}
        if jobs > 1:
            parallel(part, judge, min(jobs, len(part)), plan.request.load, ended)
        else:
            for index, (cell, folder) in part.items():
                ended(index, cell, made(cell, judge, folder))
        left = freed({index: one.locked for index, one in done.items() if one.locked is not None})
    return [done[index] for index in work]


def unfinished(plan: Plan, cells: Path) -> list[Cell]:
    """The cells that are still to be trained in the folder `cells`."""
    return [cell for cell in plan.cells if not (cells / cell.name / RESULT).exists()]


def _teach(plan: Plan, cells: Path) -> None:
    """Trains the teachers of cells before there are processes, which would wait for one.

    Where an attack asks the teacher, it is to ask it of all students: verdicts would not be alike.
    """
    asked = asking(plan.first, plan.request.suite)
    runs = [cell.run for cell in (plan.cells if asked else unfinished(plan, cells))]
    learning = [run for run in runs if asked or "teacher" in run.nets]
    for run in {cached(run): run for run in learning if isinstance(run.teacher, Trained)}.values():
        if of_run(run) is None:
            log.info("training the teacher, which is not in the cache yet")
            # whatever fails, its cells will say so, and the others go on
            with contextlib.suppress(Exception):
                provided(run, split(run.data, run.split), chosen(run.device), silent)
    # what this process keeps of a GPU for later is missing to those of the cells
    torch.cuda.empty_cache()


def _fitting(plan: Plan) -> int:
    """As many as there are threads where one network keeps no more than one busy, else one."""
    run = plan.first
    net = run.student(run.data.classes, run.data.shape)
    small = not large(net, run.data.shape)
    return torch.get_num_threads() if small and chosen(run.device).type == "cpu" else 1


def _teacher(plan: Plan, done: Sequence[Made], judge: Judge, cells: Path) -> Made:
    """The teacher that all share, judged where a student has learned from it; not if there are several."""
    if teachers(plan.learning) > 1:
        return Made(cells)
    for cell, one in zip(plan.cells, done, strict=True):
        if one.judged is not None and "teacher" in cell.run.nets:
            try:
                return waited(partial(teacher_judged, cell.run, one.folder, judge, cells))
            # whatever it is, the students are compared without it
            except Exception as cause:
                log.warning("the teacher is not judged: %s", cause)
                log.debug("the teacher", exc_info=True)
                break
    return Made(cells)


def _unchanged(judge: Judge, done: Sequence[Made]) -> None:
    """Refuses what was judged on other images, or by other code, than there is now, where it lay ready."""
    audits = {one.audit: one.judged.terms for one in done if one.audit is not None and one.judged is not None}
    if audits:
        student = next(one.folder for one in done if one.judged is not None)
        unchanged(judge.case(student), audits)


def _counted(plan: Plan, done: Sequence[Made]) -> dict[str, float]:
    """The TFLOP of one training of every entrant that has a student."""
    runs = {c.label: c.run for c, one in zip(plan.cells, done, strict=True) if one.judged is not None}
    try:
        return {label: cost.flops / 1e12 for label, cost in estimates(runs, timed=False).items()}
    # a network or a loss that torch cannot count is no reason to lose what has been trained
    except Exception:
        log.debug("operations are not counted", exc_info=True)
        return {}
