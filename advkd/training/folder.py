"""The folder of a run: made once, locked while it is written, read again to go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from torch import Tensor

from advkd.config.layers import load_yaml, yaml_text
from advkd.config.resolve import from_raw
from advkd.config.run import Run
from advkd.errors import AdvkdError, Interrupted, Problem, error
from advkd.files import expanded, held, write_arrays, write_bytes, write_json
from advkd.result import Result
from advkd.training import checkpoint
from advkd.training.checkpoint import BEST, LAST
from advkd.training.member_code import code_of

RUN, RESULT, EXAMPLES, METRICS = "run.yaml", "result.json", "examples.npz", "metrics.jsonl"
WRITES = ("*.safetensors", "*.npz", "report.html", "report.md", "table.csv", METRICS, RESULT)
"""Patterns of the files that a run leaves beside `run.yaml`."""
GIVEN = "given"
"""The key of `run.yaml` under which stands what the configuration does not name."""
IMAGES = "images"
"""The key of `run.yaml` under which stand the marks of the images a run was begun with, by part."""
CODE = "code"
"""The key of `run.yaml` under which stand the fingerprints of other packages' code."""


def made(run: Run, out: str | Path | None) -> Path:
    """The folder of a new run; an error if it holds one that can go on, or files of somebody else."""
    folder = expanded(out) if out else _fresh(run)
    begun = (folder / RUN).exists()
    if begun and any((folder / name).exists() for name in (checkpoint.NAME, RESULT)):
        remedy = f"continue it with resume={folder}, or choose another out=DIR"
        raise error("out", "the folder already holds a run", given=folder, remedy=remedy)
    others = [] if begun else sorted(file.name for name in WRITES for file in folder.glob(name))
    if others:
        problem = f"the folder holds files a run would overwrite: {', '.join(others)}"
        raise error("out", problem, given=folder, remedy="choose another out=DIR")
    return created(folder)


def created(folder: Path) -> Path:
    """The folder, made if it is not there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise error(
            "out", cause.strerror or str(cause), given=folder, remedy="choose another out=DIR"
        ) from cause
    return folder


def begin(folder: Path, run: Run, given: Mapping[str, str], images: Mapping[str, str]) -> None:
    """Writes `run.yaml`, and removes what a run has left that ended before its first checkpoint.

    `given` are the marks of what the caller handed over in place of what the configuration names, `images`
    those of the images by part.
    """
    about = {"hash": run.hash, **({GIVEN: dict(given)} if given else {}), IMAGES: dict(images)}
    about |= {CODE: code} if (code := code_of(run)) else {}
    write_bytes(folder / RUN, yaml_text({**about, **run.resolved}).encode())
    for left in (METRICS, BEST, LAST):
        (folder / left).unlink(missing_ok=True)


def given_to(folder: Path, place: str) -> Mapping[str, str]:
    """The marks of what a run was given in place of what its configuration names."""
    found: Mapping[str, str] = load_yaml(folder / RUN, place).get(GIVEN, {})
    return found


def check_same_inputs(folder: Path, run: Run, given: Mapping[str, str], images: Mapping[str, str]) -> None:
    """Raises unless a run is given, to go on, what it was begun with, and its members' code is the same.

    Of a run that was begun without marks of its images or code nothing is known, and it goes on.
    """
    before = given_to(folder, "resume")
    differ = [name for name in ("data", "student", "teacher") if before.get(name) != given.get(name)]
    if differ:
        raise error(
            "resume",
            f"the run was begun with other {' and '.join(differ)}",
            given=f"{folder}: {before or 'nothing given'}, now {dict(given) or 'nothing given'}",
            remedy="give the same: advkd.resume(folder, data=..., student=..., teacher=...)",
        )
    begun = load_yaml(folder / RUN, "resume")
    code, marks = code_of(run), begun.get(IMAGES, {})
    if changed := [name for name, mark in begun.get(CODE, {}).items() if code.get(name) != mark]:
        remedy = "put it back as it was, or start a new run"
        raise error("resume", f"the {' and the '.join(changed)} has changed", given=folder, remedy=remedy)
    if others := [part for part, mark in images.items() if marks.get(part, mark) != mark]:
        raise error(
            "resume",
            f"the run was begun with other {' and '.join(others)} images",
            given=folder,
            remedy="put the images back as they were, or start a new run",
        )


def check_held_out(
    path: Path, place: str, resolved: Mapping[str, Any], marks: Callable[[], Mapping[str, str]]
) -> None:
    """Raises where a run has learned from other images than its data holds now: they may be test images now.

    `path` is that of the run, or of a file in it; `resolved` holds the data and split of now. Of a run of
    other data, or of images that were handed to it, nothing is known, nor of one without marks.
    """
    path = expanded(path)
    folder = path if path.is_dir() else path.parent
    # `timm:NAME` and `FILE.py:FUNCTION` are no paths
    if not path.exists() or not (folder / RUN).is_file():
        return

    def of(values: Mapping[str, Any]) -> tuple[Any, Any]:
        return values.get("data"), {**(values.get("split") or {}), "test": None}

    begun = load_yaml(folder / RUN, place)
    noted = begun.get(IMAGES)
    if not noted or "data" in begun.get(GIVEN, {}) or of(begun) != of(resolved):
        return
    if others := [part for part, mark in marks().items() if noted.get(part) != mark]:
        problem = f"was trained with other {' and '.join(others)} images than there are now"
        remedy = "put the images back as they were: what it has learned from may be test images now"
        raise error(place, problem, given=folder, remedy=remedy)


def _fresh(run: Run) -> Path:
    stem = Path("runs") / f"{time.strftime('%Y%m%d-%H%M%S')}-{run.preset}-{Path(run.setting).stem}-{run.hash}"
    folder, n = stem, 1
    while folder.exists():
        n += 1
        folder = Path(f"{stem}-{n}")
    return folder


class LockedError(AdvkdError):
    """Another process is writing to `folder`."""

    def __init__(self, folder: Path) -> None:
        problem = "another process is writing to this folder"
        super().__init__(
            Problem(place="out", problem=problem, given=str(folder), remedy="wait for it to end")
        )
        self.folder = folder


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps a second process out of the folder, which gets `LockedError`; makes Ctrl-C `Interrupted`."""
    lock = FileLock(folder / ".lock", timeout=0)
    try:
        with held(lock):
            yield
    except Timeout:
        raise LockedError(folder) from None
    except KeyboardInterrupt:
        raise Interrupted(folder) from None


def written(folder: Path, place: str) -> tuple[Run, str | None]:
    """The run that `run.yaml` describes, and the hash it had when it was started."""
    if not (folder / RUN).is_file():
        remedy = "give the folder that advkd run wrote to, runs/NAME or its out="
        raise error(place, "is not the folder of a run: it has no run.yaml", given=folder, remedy=remedy)
    raw = load_yaml(folder / RUN, place)
    started = raw.pop("hash", None)
    for key in (GIVEN, IMAGES, CODE):
        raw.pop(key, None)
    return from_raw(raw), started


def opened(folder: Path) -> Run:
    """The run of a folder, to go on with."""
    run, started = written(folder, "resume")
    if run.hash != started:
        raise error(
            "resume",
            "run.yaml does not describe the run that was started",
            given=f"{folder}: {started}, now {run.hash}",
            remedy="put it back as it was, or start a new run",
        )
    if (folder / RESULT).exists():
        raise error("resume", "this run has ended", given=folder, remedy="its numbers are in result.json")
    return run


def summary(run: Run, result: Result, environment: Mapping[str, Any]) -> dict[str, Any]:
    """The content of `result.json`; a run without evaluation only knows validation images, clean."""
    rows = {"last": result.last, "teacher": result.teacher}
    judged = bool(run.evaluation)
    return {
        "preset": run.preset,
        "setting": run.setting,
        "hash": run.hash,
        "seed": run.seed,
        "modifiers": run.resolved["modifiers"],
        "scales": run.scales,
        "n_test": result.n if judged else 0,
        "clean": result.clean,
        "robust": result.robust if judged else None,
        "attacks": result.attacks,
        "interval": {k: list(ends) for k, ends in result.interval.items() if judged or k == "clean"},
        **{
            name: row and {"clean": row.clean, "robust": row.robust if judged else None}
            for name, row in rows.items()
        },
        "cost": dict(result.cost),
        "environment": dict(environment),
    }


def finish(folder: Path, content: Mapping[str, Any], result: Result, y: Tensor) -> None:
    """Writes outcomes and classes `y` (n,) of the examples, then `result.json`: the run has ended."""
    rows = {"student": result, "last": result.last, "teacher": result.teacher}
    arrays = {
        f"{who}.{name}": right.numpy()
        for who, row in rows.items()
        if row is not None
        for name, right in row.right.items()
    }
    arrays["y"] = y.cpu().numpy()
    write_arrays(folder / EXAMPLES, arrays)
    write_json(folder / RESULT, content)
