"""What reporters promise."""

from __future__ import annotations

from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from io import StringIO
from typing import Any

from advkd.protocols import Reporter
from advkd.testing.checks import check, require
from advkd.testing.parts import changed, state
from advkd.types import Record

SIZES = {"steps": 2, "batch": 8, "done": 0}
PARTS = {"untargeted.robust": 0.5, "untargeted.clean": 0.25}


def of_epoch(epoch: int, stage: str = "student") -> list[Record]:
    """What the training loop says of one epoch, in its order."""
    said: list[tuple[str, float, dict[str, Any]]] = [
        *(("step.loss", 0.75, {"step": step, "parts": dict(PARTS)}) for step in range(2)),
        ("train.loss", 0.75, {"parts": dict(PARTS)}),
        ("train.images_per_second", 100.0, {}),
        ("train.lr", 0.1, {}),
        ("train.skipped.targeted", 1.0, {"n": 2}),
        ("validation.clean", 0.8, {"n": 10, "interval": (0.5, 0.9)}),
        ("validation.robust", 0.5, {"n": 10, "interval": (0.2, 0.8)}),
        ("epoch.seconds", 1.0, {}),
    ]
    return [Record(name=name, value=value, epoch=epoch, stage=stage, **more) for name, value, more in said]


def of_run(begin: int = 0) -> list[Record]:
    """What is said of a teacher's training and of a student's, the latter from epoch `begin` on."""
    records = []
    for stage, first in (("teacher", 0), ("student", begin)):
        records.append(
            Record(name="train.epochs", value=3, epoch=first, stage=stage, parts={**SIZES, "done": first})
        )
        for epoch in range(first, 3):
            records += of_epoch(epoch, stage)
    return records


def tell(reporter: Any, *records: Record) -> None:
    """Reports, unseen, and closes where a reporter can be closed."""
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        try:
            for record in records:
                reporter(record)
        finally:
            if hasattr(reporter, "close"):
                reporter.close()


@check("reporters")
def takes_a_run(reporter: Reporter) -> None:
    """It takes the records of a whole run, of a teacher and a student, and of a resumed one."""
    tell(reporter, *of_run())
    tell(reporter, *of_run(begin=2))


@check("reporters")
def takes_any_record(reporter: Reporter) -> None:
    """It takes every record on its own, of any name: nothing has to come before it."""
    for record in (Record(name="of.another.kind", value=1.0), *of_run()):
        # as it was before it was told anything
        tell(replace(reporter), record)  # type: ignore[type-var]


@check("reporters")
def takes_any_number(reporter: Reporter) -> None:
    """It takes infinite numbers and NaN: a run that diverges is reported too."""
    for value in (float("nan"), float("inf"), -0.0, 1e300):
        tell(reporter, *(Record(name=r.name, value=value, epoch=0, parts=r.parts) for r in of_epoch(0)))


@check("reporters")
def records_not_written(reporter: Reporter) -> None:
    """The parts of a record stay as they are."""
    records = of_run()
    tell(reporter, *records)
    require(records == of_run(), "a record was written to")


@check("reporters")
def leaves_no_trace(reporter: Reporter) -> None:
    """The global generators stay as they are: what is told does not change what is trained."""
    before = state()
    tell(reporter, *of_run())
    require(not (left := changed(before, state())), f"changed: {left}")
