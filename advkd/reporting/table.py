"""`table.csv`: one line per student with everything numeric, and the cells of the page's table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from advkd.reporting.material import Group, Material, Row
from advkd.reporting.words import MEMORY, TFLOP, count, duration, measured, ranked
from advkd.result import percent

COSTS = (
    "train_seconds",
    "warm_up_seconds",
    "seconds",
    "images_per_second",
    "student_forwards",
    "student_backwards",
    "teacher_forwards",
    "teacher_backwards",
    "peak_memory_mb",
    "student_parameters",
    "teacher_parameters",
)
PASSES = COSTS[4:8]


@dataclass(frozen=True)
class TableCell:
    """What a cell shows, and the number it is sorted by (None: by its text)."""

    text: str
    value: float | None = None


def csv_text(material: Material) -> str:
    """The content of `table.csv`; shares are 0..1, an empty cell is unknown."""
    lines = [dict(_line(row)) for row in material.rows]
    columns = sorted(dict.fromkeys(key for line in lines for key in line), key=_place)
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return buffer.getvalue()


def _place(column: str) -> int:
    """Columns that depend on attacks, classes and extra costs come after those all reports have."""
    kind, dot, _ = column.partition(".")
    return ("attack", "tried", "class", "cost").index(kind) + 1 if dot else 0


def _line(row: Row) -> Iterator[tuple[str, Any]]:
    yield from {"name": row.name, "seed": row.seed, "folder": row.folder.name}.items()
    yield "state", "failed" if row.error else "done"
    judged = row.judged
    scores = judged.scores if judged else None
    for key in ("evaluation", "threat", "n", "complete"):
        known = (
            {
                "evaluation": judged.shown,
                "threat": judged.terms["threat"],
                "n": scores.n,
                "complete": judged.complete,
            }
            if judged and scores
            else {}
        )
        yield key, known.get(key)
    for what in ("clean", "robust"):
        low, high = scores.interval(what) if scores else (None, None)
        values = {what: getattr(scores, what, None), f"{what}_low": low, f"{what}_high": high}
        yield from values.items()
    for who in ("last", "teacher"):
        other = getattr(judged, who, None)
        yield from {f"{who}_{what}": getattr(other, what, None) for what in ("clean", "robust")}.items()
    history = row.history if row.history and len(row.history.clean) else None
    yield from {"epochs": history and len(history.clean), "best_epoch": history and history.best + 1}.items()
    yield "flags", len(judged.audit["flags"]) if judged and judged.audit else None
    yield from ((key, row.cost.get(key)) for key in COSTS)
    if judged:
        yield from ((f"attack.{name}", judged.alone(name)) for name in judged.attacks)
        yield from ((f"tried.{name}", int(judged.tried[name].sum())) for name in judged.attacks)
        yield from ((f"class.{i}", share) for i, share in enumerate(judged.by_class))
    yield from ((f"cost.{key}", value) for key, value in row.cost.items() if key not in COSTS)


def methods(material: Material) -> tuple[list[str], list[tuple[Group, list[TableCell]]]]:
    """Headings, and the cells of every method, the most robust first."""
    attacks = material.judged.attacks
    heads = ["seeds", "clean", "robust", *attacks, "wall time", "TFLOP", "passes", "memory"]
    rows = [(group, list(_cells(group, attacks))) for group in ranked(material)]
    # columns of cost that nobody knows are left out
    known = [i for i in range(len(heads)) if i < len(heads) - 4 or any(c[i].text != "-" for _, c in rows)]
    return [heads[i] for i in known], [(group, [cells[i] for i in known]) for group, cells in rows]


def legend(material: Material) -> str:
    """How to read the numbers of `methods`, or the attacks of a single student."""
    if material.single is not None and material.single.judged is not None:
        says = "Accuracy in % under each attack alone."
        ranges = " A range says that the attack was not run on examples an earlier one had broken."
        return says if material.single.judged.audit is None else says + ranges
    says = (
        "Accuracy in %. Mean ± SD over seeds where there are several, else the 95 % Wilson interval. Robust: "
        "right when clean and under every attack, image by image."
    )
    every = (judged for group in material.groups for judged in group.judged)
    if all(judged.exact(attack) for judged in every for attack in judged.attacks):
        return says
    return (
        f"{says} ≤: run only on images that earlier attacks had not broken. Images it did not meet "
        "count as right if right when clean, so alone it may break more; robust accuracy is unaffected."
    )


def _cells(group: Group, attacks: list[str]) -> Iterator[TableCell]:
    yield TableCell(str(len(group.judged)), len(group.judged))
    for what in ("clean", "robust"):
        yield TableCell(measured(group, what), group.mean(what))
    for attack in attacks:
        ran = [judged for judged in group.judged if attack in judged.right]
        mean = sum(judged.alone(attack) for judged in ran) / len(ran) if ran else None
        most = "" if all(judged.exact(attack) for judged in ran) else "≤ "
        yield TableCell(most + percent(mean), mean)
    yield TableCell(duration(group.mean("train_seconds")), group.mean("train_seconds"))
    tflop = group.mean(TFLOP)
    yield TableCell("-" if tflop is None else f"{tflop:.3g}", tflop)
    passes = [group.mean(key) for key in PASSES]
    total = sum(value for value in passes if value is not None) if any(passes) else None
    yield TableCell(count(total), total)
    memory = group.mean(MEMORY)
    yield TableCell("-" if memory is None else f"{memory:.0f} MB", memory)


def students(material: Material) -> tuple[list[str], list[tuple[Row, list[TableCell]]]]:
    """Headings, and the cells of every single student, failed ones among them."""
    heads = ["seed", "clean", "robust", "95 % interval", "last, robust", "best epoch", "wall time", "state"]
    rows = [(row, list(_student(row))) for row in material.rows]
    said = [i for i in range(len(heads)) if any(cells[i].text != "-" for _, cells in rows)]
    return [heads[i] for i in said], [(row, [cells[i] for i in said]) for row, cells in rows]


def _student(row: Row) -> Iterator[TableCell]:
    judged, history = row.judged, row.history
    yield TableCell("-" if row.seed is None else str(row.seed), row.seed)
    scores = judged.scores if judged else None
    for what in ("clean", "robust"):
        share = getattr(scores, what, None)
        yield TableCell(percent(share), share)
    ends = scores.interval("robust") if scores else None
    yield TableCell(percent(ends), ends[0] if ends else None)
    last = judged.last.robust if judged and judged.last else None
    yield TableCell(percent(last), last)
    epochs = len(history.clean) if history else 0
    yield TableCell(
        f"{history.best + 1} of {epochs}" if history and epochs else "-",
        history.best + 1 if history and epochs else None,
    )
    seconds = row.cost.get("train_seconds")
    yield TableCell(duration(seconds), seconds)
    yield TableCell(row.error or "done")
