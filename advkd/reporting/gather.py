"""From the folders of a report to its material; what cannot be compared is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from pathlib import Path
from typing import Any

from advkd.config.entries import CLEAN
from advkd.errors import AdvkdError, error
from advkd.reporting.material import Judged, Material, Row
from advkd.reporting.reading import AUDITS, audited, evaluations, row_of
from advkd.reporting.stored import PLAN, read, sound, strange
from advkd.reporting.words import MEMORY, TFLOP
from advkd.training.folder import EXAMPLES, GIVEN, IMAGES, RESULT, RUN

DIFFER = {
    "threat": ("threats", "a robust accuracy holds for its threat alone; judge both under one: advkd eval"),
    "images": ("images", "judge both on the same images: advkd eval RUN data=... split.test=..."),
    "attacks": ("attacks", "judge each by the same suite: advkd eval RUN suite=standard"),
}
"""What two evaluations may not differ in, and what to do where they do."""


def gathered(folders: Sequence[Path]) -> Material:
    """Everything that run folders, audit folders and comparison folders say.

    Raises `AdvkdError` for a folder that is none of them, and for evaluations that may not be compared.
    """
    if not folders:
        raise error("report", "of which folders?", remedy="name run, audit or comparison folders")
    folders = list({folder.resolve(): folder for folder in folders}.values())
    comparisons = [folder for folder in folders if _compares(folder)]
    if comparisons and len(folders) == 1:
        content = read(folders[0] / RESULT)
        return Material(rows=compared(folders[0], content), comparison=content)
    rows = [row for folder in comparisons for row in compared(folder, read(folder / RESULT))]
    among = [[row.judged] for row in rows if row.judged is not None]
    rows += _agreed([folder for folder in folders if folder not in comparisons], among)
    _refuse_differences([row for row in rows if row.judged is not None])
    kept: dict[tuple[Path, str], Row] = {}
    for row in rows:
        # a cell may have failed in one comparison and not in another
        place = row.folder.resolve(), _who(row)
        if place not in kept or kept[place].judged is None:
            kept[place] = row
    return Material(rows=_told_apart(list(kept.values())))


def compared(folder: Path, content: Mapping[str, Any]) -> list[Row]:
    """The students of a comparison, each judged by the audit the comparison names."""
    with sound(folder / RESULT):
        for pair in (*content.get("methods", ()), *content.get("students", ())):
            itemgetter("a", "b", "p", "alpha", "verdict", "says")(pair)
        rows = [_compared(folder, entry) for entry in content["rows"]]
        return [_told(row, content.get("tflop") or {}, content.get("scales") or {}) for row in rows]


def _told(row: Row, tflops: Mapping[str, float], scales: Mapping[str, float | None]) -> Row:
    """The row with what the comparison knows of it: its counted operations and the sum of its scales.

    Without the memory of a process it has shared with others.
    """
    row, tflop = replace(row, scales=scales.get(row.name, row.scales)), tflops.get(row.name)
    if row.history is None:
        return row
    cost = {key: value for key, value in row.cost.items() if key != MEMORY}
    cost |= {} if tflop is None else {TFLOP: tflop}
    return replace(row, history=replace(row.history, cost=cost))


def _compared(folder: Path, entry: Mapping[str, Any]) -> Row:
    cell, audit = folder / entry["folder"], entry.get("audit")
    told = {"name": entry["name"], "seed": entry["seed"]}
    if entry["state"] != "done":
        why = entry.get("error") or entry["state"]
        try:
            return replace(row_of(cell, None, why), **told)
        except AdvkdError:
            # it may have failed because what it has left is damaged
            return Row(**told, folder=cell, judged=None, error=why)
    if not cell.exists():
        remedy = "bring back the folder cells that lay beside the comparison, or compare again"
        raise error("report", "the cells of the comparison are not beside it", given=cell, remedy=remedy)
    judged = audited(folder / audit) if audit else evaluations(cell)[0]
    if any(entry.get(key, value) != value for key, value in vars(judged.scores).items()):
        remedy = "run the same advkd compare command again: its verdict is out of date"
        raise error(
            "report",
            "a student was judged anew since",
            given=folder / (audit or entry["folder"]),
            remedy=remedy,
        )
    return replace(row_of(cell, judged), **told)


def _compares(folder: Path) -> bool:
    if (folder / PLAN).exists():
        return True
    return (folder / RESULT).is_file() and not (folder / RUN).exists() and "rows" in read(folder / RESULT)


def _agreed(folders: Sequence[Path], among: Sequence[Sequence[Judged]]) -> list[Row]:
    """Each folder judged by the fullest evaluation that all and `among` have; else by its own fullest."""
    known = [_evaluations(folder) for folder in folders]
    others = [*known[1:], *among]
    common = [one for one in known[0] if all(_has(one, other) for other in others)] if known else []
    rows = []
    for folder, found in zip(folders, known, strict=True):
        judged = next((one for one in found if not common or one.terms == common[0].terms), found[0])
        rows.append(_row(folder, judged))
    return rows


def _has(one: Judged, others: Sequence[Judged]) -> bool:
    return any(one.terms == other.terms for other in others)


def _evaluations(folder: Path) -> list[Judged]:
    if (folder / RUN).is_file():
        return evaluations(folder)
    # a run that has lost its run.yaml still says its preset
    if (folder / EXAMPLES).is_file() and "preset" not in read(folder / RESULT):
        return [audited(folder)]
    raise strange(folder)


def run_of(audit: Path) -> Path | None:
    """The run whose folder an audit lies in."""
    run = audit.resolve().parent.parent
    return run if audit.resolve().parent.name == AUDITS and (run / RUN).is_file() else None


def _row(folder: Path, judged: Judged) -> Row:
    run = folder if (folder / RUN).is_file() else run_of(folder)
    if run is not None:
        return _as_judged(row_of(run, judged))
    target = (judged.audit or {}).get("options", {}).get("target", folder.name)
    return replace(row_of(folder, judged), name=Path(str(target)).name)


def _as_judged(row: Row) -> Row:
    """The row of a run, under the name of the network that was judged, with what is known of that one."""
    who = _who(row)
    if who == "last":
        # the paths were walked against the best
        return replace(row, name=f"{row.name}, last epoch", paths=None)
    if who == "teacher":
        return Row(name=f"teacher of {row.name}", seed=None, folder=row.folder, judged=row.judged)
    return row


def _who(row: Row) -> str:
    """Which network of its run a row is."""
    audit = (row.judged and row.judged.audit) or {}
    return str(audit.get("judged", "student"))


def _refuse_differences(rows: Sequence[Row]) -> None:
    for row in rows[1:]:
        first, other = rows[0].judged, row.judged
        assert first is not None
        assert other is not None
        for key, (what, remedy) in DIFFER.items():
            if first.terms[key] != other.terms[key]:
                given = "\n           ".join(
                    f"{r.folder}: {j.terms[key]} ({j.shown})" for r, j in ((rows[0], first), (row, other))
                )
                raise error("report", f"these were judged under different {what}", given=given, remedy=remedy)


def _told_apart(rows: Sequence[Row]) -> list[Row]:
    """Runs of one name that are no seeds of each other get the folder of the first of their kind beside it.

    Two runs of one configuration and seed get the folder of each; a copy of a run is left out.
    """
    rows = list({_content(row): row for row in reversed(rows)}.values())[::-1]
    signs: dict[str, dict[Hashable, tuple[str, ...]]] = {}
    kinds = _kinds(rows)
    for row, kind in zip(rows, kinds, strict=True):
        # the folder of a cell ends in its seed
        place = row.folder.name.removesuffix(f"-{row.seed}")
        signs.setdefault(row.name, {}).setdefault(kind, (place, row.hash, str(row.folder)))

    def named(row: Row, kind: Hashable) -> str:
        variants = signs[row.name]
        if len(variants) == 1:
            return row.name
        shared = Counter(sign for them in variants.values() for sign in them)
        return f"{row.name} ({next(sign for sign in variants[kind] if shared[sign] == 1)})"

    told = [replace(row, name=named(row, kind)) for row, kind in zip(rows, kinds, strict=True)]
    twice = Counter((row.name, row.seed) for row in told)
    return [
        replace(row, name=f"{row.name} ({row.folder})") if twice[row.name, row.seed] > 1 else row
        for row in told
    ]


def _kinds(rows: Sequence[Row]) -> list[Hashable]:
    """For each row its method: name, hash, and what trainings of one hash are known not to agree in."""
    known: dict[Hashable, set[Hashable]] = {}
    for row in rows:
        for what, value in _origin(row):
            known.setdefault((row.name, row.hash, what), set()).add(value)
    return [
        (
            row.name,
            row.hash,
            *(origin for origin in _origin(row) if len(known[row.name, row.hash, origin[0]]) > 1),
        )
        for row in rows
    ]


def _origin(row: Row) -> Iterator[tuple[str, Hashable]]:
    """What a student comes from that its configuration does not name, as far as anybody knows."""
    size, images = row.cost.get("student_parameters"), (row.config.get(IMAGES) or {}).get("training")
    yield from ((what, value) for what, value in (("size", size), (IMAGES, images)) if value is not None)
    yield from (row.config.get(GIVEN) or {}).items()


def _content(row: Row) -> Hashable:
    """What a copy of a run has in common with it."""
    if row.judged is None or not row.hash:
        return row.folder
    return row.name, row.hash, row.seed, row.judged.right[CLEAN].tobytes(), row.judged.survivors.tobytes()
