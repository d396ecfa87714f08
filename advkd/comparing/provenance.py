"""What a training comes from besides its words: the images, the teacher's file, code of others."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from advkd.auditing.open import images_of
from advkd.comparing.plan import Cell
from advkd.config.case import Resolved
from advkd.config.run import Run
from advkd.data.split import limited
from advkd.errors import error
from advkd.files import write_json
from advkd.fingerprints import data_fingerprint, file_fingerprint
from advkd.models.trained import Trained
from advkd.splits import split
from advkd.training.folder import CODE, RUN, created
from advkd.training.member_code import code_of, code_of_members
from advkd.training.teachers import of_run

FILE = "origin.json"


def hold(cells: Sequence[Cell], folder: Path) -> None:
    """Refuses cells in `folder` that were begun from something else; notes for new ones what they come from.

    A cell is named by its words, and a file that they name may have been changed since. Of a cell that was
    begun without such a note nothing is known, and it is taken as it is.
    """
    changed: list[str] = []
    runs = {cell.label: cell.run for cell in cells}
    images = _images(cells[0].run)
    origins = {label: {"images": images, **_teacher(run), **code_of(run)} for label, run in runs.items()}
    for cell in cells:
        now, place = origins[cell.label], folder / cell.name
        if not (place / RUN).exists():
            write_json(created(place) / FILE, now)
            continue
        before = _noted(place)
        if other := sorted(what for what in before.keys() & now.keys() if before[what] != now[what]):
            changed.append(f"{cell.name}: {', '.join(other)}")
    if changed:
        names = "; ".join(changed)
        remedy = f"remove them from {folder}, or choose an out=DIR that lies elsewhere"
        raise error("out", "holds students whose inputs have changed since", given=names, remedy=remedy)


def held(student: Path, place: Path) -> Path:
    """The folder `place` of an audit of the teacher of a cell, `student`, that `hold` has let pass.

    Refused if it is of another teacher, or on other images, than those the cell has noted.
    """
    noted, before = _noted(student), _noted(place)
    now = {what: noted[what] for what in ("images", "teacher") if what in noted}
    if any(before.get(what, now[what]) != now[what] for what in now):
        remedy = "remove it to have the teacher audited again"
        problem = "holds the audit of another teacher, or on other images"
        raise error("out", problem, given=place, remedy=remedy)
    if not place.exists():
        write_json(created(place) / FILE, now)
    return place


def unchanged(case: Resolved, audits: Mapping[Path, Mapping[str, str]]) -> None:
    """Refuses `audits`, folders and their terms, if the images or attacks of `case` are others now."""
    images = images_of(case, lambda: split(case.data, case.split))
    images = images.subset(limited(images.y, case.limit, case.seed))
    now, code = data_fingerprint(images.x, images.y), code_of_members([*case.evaluators.values()])
    changed = {
        f"on {case.part} images that have": [f for f, terms in audits.items() if terms["images"] != now],
        "by attacks whose code has": [f for f, terms in audits.items() if _code(terms, code) != code],
    }
    for what, others in changed.items():
        if others:
            remedy = "remove these to judge again, or choose an out=DIR that lies elsewhere"
            given = "; ".join(map(str, others))
            raise error("out", f"holds verdicts {what} changed since", given=given, remedy=remedy)


def _code(terms: Mapping[str, str], unknown: Mapping[str, str]) -> Mapping[str, str]:
    found: Mapping[str, str] = json.loads(terms["attacks"]).get(CODE, unknown)
    return found


def _noted(place: Path) -> Mapping[str, str]:
    try:
        found = json.loads((place / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _images(run: Run) -> str:
    train = split(run.data, run.split).train
    return data_fingerprint(train.x, train.y)


def _teacher(run: Run) -> dict[str, str]:
    """The fingerprint of the trained teacher a run learns from, if it is in the cache yet."""
    source = of_run(run) if "teacher" in run.nets and isinstance(run.teacher, Trained) else None
    return {} if source is None else {"teacher": file_fingerprint(source.place)}
