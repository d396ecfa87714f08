"""Cells made at the same time, in processes that end with the comparison."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, ProcessPoolExecutor, wait
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

from advkd.comparing.cell import Judge, Made, made
from advkd.comparing.plan import Cell
from advkd.files import expanded
from advkd.registry.pyfile import imported

Told = Callable[[int, Cell, Made], None]
"""Hears of every cell as it ends, with its number."""

MEMBERS = "members and networks of a script need load=FILE.py, or jobs=1"

DIED = (
    "memory may have run out (try fewer jobs), or a script that compares starts its processes without "
    f'`if __name__ == "__main__":`; {MEMBERS}'
)


def parallel(
    work: Mapping[int, tuple[Cell, Path]], judge: Judge, jobs: int, load: str | Path | None, told: Told
) -> None:
    """Makes every cell in its folder, in `jobs` processes that share the CPU threads and the CUDA devices."""
    others = active_children()
    threads, gpus = max(torch.get_num_threads() // jobs, 1), _gpus(work) or [""]
    processes = [_Process(threads, load, gpus[i % len(gpus)]) for i in range(jobs)]
    idle = list(processes)
    running: dict[Future[Made], tuple[int, _Process]] = {}
    waiting = deque(work.items())
    try:
        while waiting or running:
            while waiting and idle:
                index, (cell, folder) = waiting.popleft()
                process = idle.pop()
                running[process.make(cell, judge, folder)] = index, process
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                index, process = running.pop(future)
                idle.append(process)
                cell, folder = work[index]
                told(index, cell, _outcome(future, folder))
    except BaseException:
        # what is being made is not waited for, which a stop must not do
        for process in processes:
            process.pool.shutdown(wait=False, cancel_futures=True)
        for child in active_children():
            if child not in others:
                child.terminate()
        raise
    for process in processes:
        process.pool.shutdown()


class _Process:
    """A process that makes one cell at a time: if it dies, that cell is lost and no other."""

    def __init__(self, threads: int, load: str | Path | None, gpu: str) -> None:
        self.terms = (threads, load, gpu)
        self.pool = self._opened()

    def make(self, cell: Cell, judge: Judge, folder: Path) -> Future[Made]:
        """The cell as it will be; another process makes it where this one has died."""
        try:
            return self.pool.submit(made, cell, judge, folder)
        except BrokenExecutor:
            self.pool = self._opened()
            return self.pool.submit(made, cell, judge, folder)

    def _opened(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(1, get_context("spawn"), _ready, self.terms)


def _gpus(work: Mapping[int, tuple[Cell, Path]]) -> list[str]:
    """CUDA devices that this process sees, as the environment names them; none where a cell names its own."""
    if any(cell.run.device not in ("auto", "cuda") for cell, _ in work.values()):
        return []
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    return named.split(",") if named else [str(index) for index in range(torch.cuda.device_count())]


def _ready(threads: int, load: str | Path | None, gpu: str) -> None:
    """A process of the pool: its share of threads and GPUs, and what a file of the user's has registered."""
    if gpu:
        # read when CUDA begins, which is later
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    # Ctrl-C reaches every process of a terminal; the comparison alone hears it and ends the others
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(threads)
    threading.Thread(target=_end_with, args=(parent_process(),), daemon=True).start()
    if load is not None:
        imported(expanded(load), "load")


def _end_with(parent: BaseProcess | None) -> None:
    """Ends this process with its parent, whose successor would find the cell locked."""
    if parent is not None:
        parent.join()
        os._exit(1)


def _outcome(future: Future[Made], folder: Path) -> Made:
    cause = future.exception()
    if cause is None:
        return future.result()
    if isinstance(cause, BrokenExecutor):
        return Made(folder, error=f"its process has died: {DIED}")
    # `made` catches what a cell raises: this is what cannot pass between processes, or a call to end one
    return Made(folder, error=f"its process gave up, {type(cause).__name__}: {cause}; {MEMBERS}")
