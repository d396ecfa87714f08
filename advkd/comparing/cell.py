"""One cell of a comparison: a student trained and judged, gone on with or taken as it is on disk."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from advkd import api
from advkd.auditing.case import resolve_case
from advkd.auditing.open import case_folder, judged
from advkd.auditing.scope import NEEDS
from advkd.comparing.plan import Cell
from advkd.comparing.provenance import held
from advkd.config.case import Resolved, hash_of
from advkd.config.run import Run
from advkd.errors import AdvkdError, error
from advkd.networks.engine import asked_for
from advkd.registry.blame import blamed
from advkd.reporting.material import Judged
from advkd.reporting.reading import audited
from advkd.reporting.stored import read, sound
from advkd.training.folder import RESULT, RUN, LockedError, created
from advkd.training.teachers import of_run
from advkd.types import Part

log = logging.getLogger("advkd")


@dataclass(frozen=True, kw_only=True)
class Judge:
    """How the students of a comparison are judged."""

    suite: str
    part: Part
    limit: int | None = None
    engine: tuple[str, ...] = ()

    def case(self, folder: Path) -> Resolved:
        """The audit of the run in `folder`."""
        words = [f"suite={self.suite}", f"part={self.part}", "rows=[best]", *self.engine]
        words += [] if self.limit is None else [f"limit={self.limit}"]
        return _called(resolve_case(str(folder), *words), folder.name)


@dataclass(frozen=True)
class Made:
    """What became of a cell: the folder of its run, that of its audit, what it found, or why it failed.

    `locked` is the folder in it that another process is writing to: the cell may be made after that.
    """

    folder: Path
    audit: Path | None = None
    judged: Judged | None = None
    error: str = ""
    locked: Path | None = None


def made(cell: Cell, judge: Judge, folder: Path) -> Made:
    """Makes a cell in `folder`, from whatever of it is there; every error but a stop becomes its outcome."""
    try:
        if not (folder / RESULT).exists():
            _train(cell, folder)
        with sound(folder / RESULT):
            engine = read(folder / RESULT)["engine"]
        _as_asked(cell.run, engine, folder)
        case = judge.case(folder)
        audit = case_folder(case)
        found = _judged(case, audit, teacher=of_run(cell.run) is not None)
        return Made(folder, audit, _whole(found, audit))
    except LockedError as cause:
        return Made(folder, error=str(cause), locked=cause.folder)
    except AdvkdError as cause:
        return Made(folder, error=str(cause))
    # one cell may fail in any way and the others are still worth having
    except Exception as cause:
        log.debug("cell %s", cell.name, exc_info=True)
        return Made(folder, error=str(blamed(cause) or f"{type(cause).__name__}: {cause}"))


def _whole(found: Judged, audit: Path) -> Judged:
    """What an audit found; an `AdvkdError` if there is an image it has not tried."""
    if not found.complete:
        raise error(
            "compare", "an audit has not tried every image", given=audit, remedy="remove it to audit again"
        )
    return found


def _train(cell: Cell, folder: Path) -> None:
    try:
        # a folder without a checkpoint is begun again
        if (folder / RUN).exists() and any(folder.glob("checkpoint.*")):
            api.resume(folder)
        else:
            api.train(cell.run, out=folder)
    except AdvkdError:
        # unless another comparison has ended it in between
        if not (folder / RESULT).exists():
            raise


def _as_asked(run: Run, engine: Mapping[str, bool], folder: Path) -> None:
    """Refuses a student that another engine has trained; no engine is part of a cell's name."""
    words = {"bf16": run.precision, "compiled": run.compile}
    for key, asked in asked_for(run.compile, run.precision).items():
        if engine[key] != asked:
            given = f"{folder}: {key} {str(engine[key]).lower()}, asked for {words[key]}"
            remedy = "remove it, or choose an out=DIR that lies elsewhere"
            raise error("out", "holds a student trained with another engine", given=given, remedy=remedy)


def teacher_judged(run: Run, student: Path, judge: Judge, cells: Path) -> Made:
    """The teacher of `run`, whose student is in the folder `student`, judged if it has a file."""
    source = of_run(run)
    if source is None:
        return Made(cells)
    case = judge.case(student)
    case = _called(replace(case, target=source.path, model=source.model), Path(source.path).parent.name)
    terms = {key: run.resolved[key] for key in ("data", "split", "threat", "teacher")}
    place = held(student, cells / f"teacher-{hash_of(terms)}")
    audit = created(place / f"{case.suite}-{case.hash}")
    if not (audit / RESULT).exists():
        log.info("judging the teacher by suite %s as well", case.suite)
    return Made(place, audit, _judged(case, audit))


def _called(case: Resolved, name: str) -> Resolved:
    """The case whose result names what it judged without saying where on this machine it lies."""
    return replace(case, resolved={**case.resolved, "target": name})


def _judged(case: Resolved, audit: Path, *, teacher: bool = False) -> Judged:
    """What an audit finds; it is made unless that was done to the end, with the `teacher` if there is one."""
    if not (audit / RESULT).exists() or not _complete(audit / RESULT, teacher):
        judged(case, audit)
    return audited(audit)


def _complete(file: Path, teacher: bool) -> bool:
    with sound(file):
        found = read(file)
        lacking = any(NEEDS.format("teacher") in text for text in found["not_tried"])
        return bool(found["complete"]) and not (teacher and lacking)
