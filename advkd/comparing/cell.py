"""One cell of a comparison: a student trained and judged, gone on with or taken as it is on disk."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from advkd import api
from advkd.auditing.case import resolve_case
from advkd.auditing.open import case_folder, judged
from advkd.comparing.plan import Cell
from advkd.config.case import Resolved
from advkd.errors import AdvkdError
from advkd.folder import RESULT, RUN
from advkd.reporting.reading import read
from advkd.types import Part

log = logging.getLogger("advkd")


@dataclass(frozen=True, kw_only=True)
class Judge:
    """How the students of a comparison are judged."""

    suite: str
    part: Part
    limit: int | None = None
    teacher: bool = False

    def case(self, folder: Path) -> Resolved:
        """The audit of the run in `folder`."""
        words = [f"suite={self.suite}", f"part={self.part}"]
        words.append("rows=[best, teacher]" if self.teacher else "rows=[best]")
        words += [] if self.limit is None else [f"limit={self.limit}"]
        return resolve_case(str(folder), *words)


@dataclass(frozen=True)
class Made:
    """What became of a cell: the folder of its run, that of its audit, and why it failed, if it did."""

    folder: Path
    audit: Path | None = None
    error: str = ""


def made(cell: Cell, judge: Judge, folder: Path) -> Made:
    """Makes a cell in `folder`, from whatever of it is there; every error but a stop becomes its outcome."""
    try:
        if not (folder / RESULT).exists():
            _train(cell, folder)
        case = judge.case(folder)
        audit = case_folder(case)
        if not _judged(audit, judge):
            judged(case, audit)
    except AdvkdError as cause:
        return Made(folder, error=str(cause))
    # one cell may fail in any way and the others are still worth having
    except Exception as cause:
        log.debug("cell %s", cell.name, exc_info=True)
        return Made(folder, error=f"{type(cause).__name__}: {cause}")
    return Made(folder, audit)


def _train(cell: Cell, folder: Path) -> None:
    # a folder without a checkpoint is begun again
    if (folder / RUN).exists() and any(folder.glob("checkpoint.*")):
        api.resume(folder)
    else:
        api.train(cell.run, out=folder)


def _judged(audit: Path, judge: Judge) -> bool:
    """Whether an audit has ended, and on everybody this one is to judge."""
    if not (audit / RESULT).exists():
        return False
    known = read(audit / RESULT)
    return bool(known["complete"]) and ("teacher" in known or not judge.teacher)
