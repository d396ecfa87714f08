"""Waiting for cells that another process is writing: another comparison in the same place, or a run."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path

from advkd.folder import LockedError, locked

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


def _free(held: Mapping[int, Path]) -> list[int]:
    return [index for index, folder in held.items() if not _taken(folder)]


def _taken(folder: Path) -> bool:
    try:
        with locked(folder):
            return False
    except LockedError:
        return True
