"""Waiting for cells that another process is writing: another comparison in the same place, or a run."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from advkd.training.folder import LockedError, locked

T = TypeVar("T")

log = logging.getLogger("advkd")

POLL = 3.0
"""Seconds between two looks at the folders that are waited for."""


def freed(held: Mapping[int, Path]) -> list[int]:
    """The numbers of the folders nobody writes to any more, as soon as there is one; of none, none."""
    free = _free(held)
    if held and not free:
        log.info("waiting for %s, which another process is writing", ", ".join(map(str, held.values())))
    while held and not free:
        time.sleep(POLL)
        free = _free(held)
    return free


def waited(work: Callable[[], T]) -> T:
    """What `work` gives, which is begun again where another process is writing to its folder."""
    try:
        return work()
    except LockedError as cause:
        freed({0: cause.folder})
    return waited(work)


def _free(held: Mapping[int, Path]) -> list[int]:
    return [index for index, folder in held.items() if not _taken(folder)]


def _taken(folder: Path) -> bool:
    try:
        with locked(folder):
            return False
    except LockedError:
        return True
