"""A comparison from its words to its folder: planned, made cell by cell, concluded, reported."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import torch
import yaml

from advkd import weights
from advkd.comparing.cell import Judge, Made, made
from advkd.comparing.outcome import Comparison, concluded
from advkd.comparing.plan import Cell, Plan
from advkd.config.layers import load_yaml
from advkd.errors import Interrupted, error
from advkd.folder import RESULT, RUN, created, locked
from advkd.pyfile import imported
from advkd.reporting import report

PLAN = "comparison.yaml"
CELLS = "cells"

Told = Callable[[int, Cell, Made], None]
"""Hears of every cell as it ends, with its number."""


def compared(plan: Plan, out: str | Path | None = None, told: Told = lambda *_: None) -> Comparison:
    """Makes what is missing of a comparison and concludes it; leaves verdicts, table and report.

    Cells lie beside the comparison's folder, in `cells`, under the hash of their run: another comparison
    there takes them as they are. Raises `AdvkdError` for a folder of something else.
    """
    folder = Path(out).expanduser() if out else Path("comparisons") / f"{_setting(plan)}-{plan.hash}"
    with locked(_begun(folder, plan)):
        try:
            done = _made(plan, folder.parent / CELLS, told)
        except KeyboardInterrupt:
            raise Interrupted(folder) from None
        comparison = concluded(plan, folder, done)
        weights.atomic(folder / RESULT, (json.dumps(comparison.about, indent=2) + "\n").encode())
        if comparison.judged:
            report(folder)
    return comparison


def _setting(plan: Plan) -> str:
    return Path(plan.first.setting).stem


def _begun(folder: Path, plan: Plan) -> Path:
    about = {"hash": plan.hash, **plan.about}
    if (folder / RUN).exists():
        raise error("out", "is the folder of a run", given=folder, remedy="choose another out=DIR")
    if (folder / PLAN).exists():
        there = load_yaml(folder / PLAN, "out")
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


def _made(plan: Plan, cells: Path, told: Told) -> list[Made]:
    """Every cell, in order; in `jobs` processes that share the processor's threads."""
    created(cells)
    tasks = list(zip(plan.cells, _judges(plan), strict=True))
    folders = [cells / cell.name for cell in plan.cells]
    jobs = min(plan.request.jobs, len(tasks))
    if jobs == 1:
        done = []
        for index, (cell, judge) in enumerate(tasks):
            done.append(made(cell, judge, folders[index]))
            told(index, cell, done[-1])
        return done
    threads = max(torch.get_num_threads() // jobs, 1)
    with ProcessPoolExecutor(jobs, get_context("spawn"), _ready, (threads, plan.request.load)) as pool:
        waiting = [pool.submit(made, cell, judge, folders[i]) for i, (cell, judge) in enumerate(tasks)]
        done = []
        for index, (future, folder) in enumerate(zip(waiting, folders, strict=True)):
            done.append(_waited(future, folder))
            told(index, plan.cells[index], done[-1])
        return done


def _ready(threads: int, load: str | None) -> None:
    """A process of the pool: its share of the threads, and what a file of the user's has registered."""
    torch.set_num_threads(threads)
    if load is not None:
        imported(Path(load).expanduser(), "load")


def _waited(future: Future[Made], folder: Path) -> Made:
    try:
        return future.result()
    except BrokenExecutor:
        return Made(folder, error="its process has died; memory may have run out: try fewer jobs")


def _judges(plan: Plan) -> Sequence[Judge]:
    """One per cell; the first that has a teacher brings its row along."""
    request = plan.request
    asks = ["teacher" in cell.run.nets for cell in plan.cells]
    return [
        Judge(
            suite=request.suite,
            part=request.on,
            limit=request.limit,
            teacher=ask and i == asks.index(True),
        )
        for i, ask in enumerate(asks)
    ]
