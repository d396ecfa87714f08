"""The files a report is read from; whatever is wrong with one is an error that names it and its remedy."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from advkd.errors import AdvkdError, Problem, error, nearest
from advkd.training.folder import EXAMPLES, METRICS, RESULT, RUN
from advkd.training.tracing import PATHS

PLAN = "comparison.yaml"
"""What a comparison is, in its folder from the start."""

MOST = 10
"""Folders an error names."""

Arrays = Mapping[str, np.ndarray[Any, Any]]


def read(file: Path) -> dict[str, Any]:
    """A file of JSON that holds a mapping."""
    if not file.is_file():
        raise _missing(file)
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as cause:
        raise damaged(file, str(cause)) from cause
    if not isinstance(found, dict):
        raise damaged(file, "it holds no mapping")
    return found


def arrays_of(file: Path) -> Arrays:
    """The arrays of a file, in memory."""
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            return {key: arrays[key] for key in arrays.files}
    # a damaged archive fails in zipfile, in zlib, in numpy, each with errors of its own
    except Exception as cause:
        raise damaged(file, "it is missing or cut short") from cause


def yaml_of(file: Path) -> dict[str, Any]:
    """A file of YAML that holds a mapping."""
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as cause:
        raise damaged(file, str(cause)) from cause
    if not isinstance(found, dict):
        raise damaged(file, "it holds no mapping")
    return found


def lines(file: Path) -> list[dict[str, Any]]:
    """The objects of a file, one a line; nothing where there is no file."""
    if not file.exists():
        return []
    with sound(file):
        # a line without its end was being written when the run was killed
        whole = file.read_text(encoding="utf-8").splitlines(keepends=True)
        return [dict(json.loads(line)) for line in whole if line.endswith("\n")]


@contextmanager
def sound(file: Path) -> Iterator[None]:
    """Makes what a block does not find in the content of `file`, or finds of another kind, an error."""
    try:
        yield
    except KeyError as cause:
        raise damaged(file, f"it lacks {cause}") from cause
    except (ValueError, TypeError, AttributeError, IndexError) as cause:
        raise damaged(file, str(cause)) from cause


def damaged(file: Path, why: str) -> AdvkdError:
    """The error of a file that cannot be used."""
    return error("report", f"{file.name} cannot be read: {why}", given=file, remedy=_remedy(file))


def _remedy(file: Path) -> str:
    folder = file.parent
    if file.name == RUN:
        return "put it back as it was, or make the run again in another folder"
    if file.name in (METRICS, PATHS):
        return "remove it: the report then does without its pictures"
    what = "remove it" if file.name == RESULT else f"remove it and {RESULT} beside it"
    again = f"{what} and run the same command again"
    return f"{again}; of a single run: advkd run resume={folder}" if (folder / RUN).exists() else again


def _missing(file: Path) -> AdvkdError:
    folder = file.parent
    if (folder / PLAN).exists():
        remedy = "run the same advkd compare command again to finish it"
    elif (folder / RUN).exists():
        remedy = f"let it end, or go on with it: advkd run resume={folder}"
    else:
        remedy = "run the same command again"
    return error("report", f"has no {file.name}: it has not ended", given=folder, remedy=remedy)


def strange(folder: Path) -> AdvkdError:
    """The error of a folder that is none to report on, with those nearby that are."""
    if not folder.exists():
        names = _reported(folder.parent)
        problem, near = "does not exist", nearest(str(folder), names)
    else:
        names = _reported(folder)
        problem, near = "is not the folder of a run, an audit or a comparison", next(iter(names), "")
    remedy = "name one that advkd run, eval or compare has left"
    return AdvkdError(
        Problem(place="report", problem=problem, given=str(folder), nearest=near, names=names, remedy=remedy)
    )


def _reported(folder: Path) -> list[str]:
    """The first folders in `folder` that there can be a report of."""
    left = [file.parent for name in (RUN, PLAN, EXAMPLES) for file in folder.glob(f"*/{name}")]
    return sorted({str(one) for one in left})[:MOST]
