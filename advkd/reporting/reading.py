"""Folders to rows: a run, and every evaluation of its student. Nothing is run."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from advkd.errors import error
from advkd.folder import EXAMPLES, METRICS, RESULT, RUN
from advkd.reporting.material import CLEAN, Judged, Paths, Row, Scores, Strips, Trained
from advkd.tracing import AWAY, NETS, PATHS, TOWARD
from advkd.types import Threat

AUDITS = "eval"
OF_TERMS = ("evaluators", "cascade", "subset", "limit", "seed")
"""What of an audit's options decides its bits, beside images and threat."""

Arrays = Mapping[str, np.ndarray[Any, Any]]


def evaluations(folder: Path) -> list[Judged]:
    """Every evaluation of the student of a run: its audits, the fullest first, then the run's own."""
    config, result = _yaml(folder / RUN), read(folder / RESULT)
    found = []
    for file in (folder / AUDITS).glob(f"*/{RESULT}"):
        if read(file).get("judged") == "student":
            audit = audited(file.parent)
            found.append((audit.complete, len(audit.attacks), file.stat().st_mtime_ns, audit))
    found.sort(key=lambda one: one[:3], reverse=True)
    return [*(one[-1] for one in found), own(folder, config, result)]


def row_of(folder: Path, judged: Judged | None, error: str | None = None) -> Row:
    """The student of a run folder, as `judged` shows it."""
    config = _yaml(folder / RUN) if (folder / RUN).exists() else {}
    result = read(folder / RESULT) if (folder / RESULT).exists() else {}
    return Row(
        name=" + ".join([str(config.get("preset", folder.name)), *config.get("modifiers", {})]),
        hash=str(config.get("hash", "")),
        seed=result.get("seed", config.get("seed")),
        folder=folder,
        judged=judged,
        trained=trained(folder, config, result) if config else None,
        paths=paths(folder / PATHS),
        config=config,
        error=error,
    )


def audited(folder: Path) -> Judged:
    """What an audit found of the network it judged."""
    about, arrays = read(folder / RESULT), arrays_of(folder / EXAMPLES)
    who, options = about["judged"], about.get("options", {})
    ledger = json.loads(str(arrays["about"]))
    names = [name for owner, name, _ in ledger["entries"] if owner == who]
    others = {key: about[key] for key in ("last", "teacher") if isinstance(about.get(key), dict)}
    n = about["n_test"]
    scores = {key: Scores(row["clean"], row["robust"], n) for key, row in others.items()}
    return Judged(
        shown=f"audit, suite {about['suite']}",
        terms={
            "threat": about["threat"],
            "images": ledger["images"],
            "attacks": json.dumps({key: options.get(key) for key in OF_TERMS}, sort_keys=True),
        },
        right={name: arrays[f"{who}.{name}"] for name in names},
        tried={name: arrays[f"{who}.{name}.tried"] for name in names},
        by_class=about["classes"]["robust"],
        last=scores.get("last"),
        teacher=scores.get("teacher"),
        audit=about,
    )


def own(folder: Path, config: Mapping[str, Any], result: Mapping[str, Any]) -> Judged:
    """What a run found of its student when it ended."""
    arrays = arrays_of(folder / EXAMPLES)
    right = {key.removeprefix("student."): bits for key, bits in arrays.items() if key.startswith("student.")}
    n = len(right[CLEAN])
    last, teacher = (
        Scores(row["clean"], row["robust"], n) if row else None
        for row in (result.get("last"), result.get("teacher"))
    )
    threat = dict(config["threat"])
    data = {"data": config.get("data"), "split": config.get("split"), "given": result.get("given")}
    judged = Judged(
        shown="the run's own evaluation",
        terms={
            "threat": str(Threat(norm=threat["norm"], eps=threat["eps"], box=tuple(threat["box"]))),
            "images": result.get("images") or json.dumps(data, sort_keys=True),
            "attacks": json.dumps(config.get("evaluation"), sort_keys=True),
        },
        right=right,
        tried={name: np.ones(n, dtype=bool) for name in right},
        last=last,
        teacher=teacher,
    )
    y = arrays.get("y")
    if y is None:
        return judged
    parts = [judged.survivors[y == label] for label in range(int(y.max()) + 1)]
    return replace(judged, by_class=[float(part.mean()) if len(part) else None for part in parts])


def trained(folder: Path, config: Mapping[str, Any], result: Mapping[str, Any]) -> Trained:
    """Validation and weights by epoch, cost, and what a reader of the numbers has to know."""
    told = [record for record in _lines(folder / METRICS) if record.get("stage", "student") == "student"]

    def series(name: str) -> Any:
        return np.array([record["value"] for record in told if record["name"] == name])

    terms = dict.fromkeys(r["name"] for r in told if r["name"].startswith("train.weight."))
    weights = {
        term.removeprefix("train.weight."): np.array(
            [list(record["parts"].values()) for record in told if record["name"] == term]
        )
        for term in terms
    }
    return Trained(
        clean=series("validation.clean"),
        robust=series("validation.robust"),
        loss=series("train.loss"),
        weights=weights,
        cost=result.get("cost", {}),
        environment=result.get("environment", {}),
        notes=list(_notes(config)),
    )


def _notes(config: Mapping[str, Any]) -> list[str]:
    split, data = config.get("split") or {}, config.get("data") or {}
    said = []
    for part, what in (("train", "training"), ("test", "test")):
        if split.get(part) is not None:
            said.append(f"Limited to {split[part]} {what} images (split.{part}), drawn by class.")
    if data.get("size") is not None:
        said.append(f"Images were re-encoded to {data['size']} x {data['size']} pixels (data.size).")
    return said


def paths(file: Path) -> Paths | None:
    """The traced paths of a run; None for a run that has left none."""
    if not file.exists():
        return None
    arrays = arrays_of(file)
    about = json.loads(str(arrays["about"]))

    def by_net(branch: str, what: str) -> dict[str, Any]:
        keys = {net: f"{branch}.{what}.{net}" for net in NETS}
        return {net: arrays[key] for net, key in keys.items() if key in arrays}

    branches = {
        branch: Strips(
            x=arrays[f"{branch}.x"],
            goal=arrays.get(f"{branch}.goal"),
            margin=by_net(branch, "margin"),
            said=by_net(branch, "said"),
            right=by_net(branch, "right"),
        )
        for branch in (AWAY, TOWARD)
    }
    return Paths(y=arrays["y"], n=about["n"], threat=about["threat"], branches=branches)


def read(file: Path) -> dict[str, Any]:
    """A file of JSON; an error that says what is wrong with it."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        remedy = "let it end, or go on with it: advkd run resume=FOLDER"
        raise error(
            "report", f"has no {file.name}: it has not ended", given=file.parent, remedy=remedy
        ) from None
    except (OSError, ValueError) as cause:
        raise error("report", f"cannot be read: {cause}", given=file) from cause
    return dict(found)


def arrays_of(file: Path) -> Arrays:
    """The arrays of a file, in memory."""
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            return {key: arrays[key] for key in arrays.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as cause:
        raise error("report", f"{file.name} is missing or cut short", given=file) from cause


def _yaml(file: Path) -> dict[str, Any]:
    try:
        return dict(yaml.safe_load(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, yaml.YAMLError) as cause:
        raise error("report", f"cannot be read: {cause}", given=file) from cause


def _lines(file: Path) -> list[dict[str, Any]]:
    if not file.exists():
        return []
    # a line without its end was being written when the run was killed
    whole = file.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in whole if line.endswith("\n")]
