"""Cells made at the same time, in processes that end with the comparison."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

from advkd.comparing.cell import Judge, Made, made
from advkd.comparing.plan import Cell
from advkd.pyfile import imported

Told = Callable[[int, Cell, Made], None]
"""Hears of every cell as it ends, with its number."""


def parallel(
    work: Sequence[tuple[Cell, Path]], judge: Judge, jobs: int, load: str | None, told: Told
) -> list[Made]:
    """Makes every cell in its folder, in `jobs` processes that share the processor's threads."""
    others = active_children()
    threads = max(torch.get_num_threads() // jobs, 1)
    done: list[Made] = []
    with ProcessPoolExecutor(jobs, get_context("spawn"), _ready, (threads, load)) as pool:
        try:
            waiting = [pool.submit(made, cell, judge, folder) for cell, folder in work]
            for index, (future, (cell, folder)) in enumerate(zip(waiting, work, strict=True)):
                done.append(_waited(future, folder))
                told(index, cell, done[-1])
        except BaseException:
            # leaving the pool waits for all that was handed in, which is what a stop must not do
            pool.shutdown(wait=False, cancel_futures=True)
            for child in active_children():
                if child not in others:
                    child.terminate()
            raise
    return done


def _ready(threads: int, load: str | None) -> None:
    """A process of the pool: its share of the threads, and what a file of the user's has registered."""
    # Ctrl-C reaches every process of a terminal; the comparison alone hears it and ends the others
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(threads)
    threading.Thread(target=_end_with, args=(parent_process(),), daemon=True).start()
    if load is not None:
        imported(Path(load).expanduser(), "load")


def _end_with(parent: BaseProcess | None) -> None:
    """Ends this process with its parent, whose successor would find the cell locked."""
    if parent is not None:
        parent.join()
        os._exit(1)


def _waited(future: Future[Made], folder: Path) -> Made:
    try:
        return future.result()
    except BrokenExecutor:
        return Made(folder, error="its process has died; memory may have run out: try fewer jobs")
