"""Folders to rows: a run, and every evaluation of its student. Nothing is run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from advkd.auditing.marks import Mark
from advkd.config.entries import CLEAN
from advkd.errors import error
from advkd.reporting.material import Floats, History, Judged, Paths, Row, Scores, Strips
from advkd.reporting.stored import Arrays, arrays_of, damaged, lines, read, sound, yaml_of
from advkd.reporting.words import threat_of
from advkd.training.folder import CODE, EXAMPLES, METRICS, RESULT, RUN
from advkd.training.tracing import AWAY, NETS, PATHS, TOWARD

AUDITS = "eval"
OF_TERMS = ("evaluators", "cascade", "subset", "limit", "seed")
"""What of an audit's options decides its bits, beside images and threat."""


def evaluations(folder: Path) -> list[Judged]:
    """Every evaluation of the student of a run: its audits, the fullest first, then the run's own.

    Fullest: under the threat of the run, complete, of test images, of the most of them, by the most
    attacks. Raises `AdvkdError` where no attack has run on it.
    """
    config, result = yaml_of(folder / RUN), read(folder / RESULT)
    files = sorted((folder / AUDITS).glob(f"*/{RESULT}"))
    audits = [audited(file.parent) for file in files if read(file).get("judged") == "student"]
    threat = threat_of(config)
    judged = sorted(audits, key=lambda audit: _fullness(audit, threat))
    # a run without attacks has looked at validation images only, for somebody else to judge it
    if {*(config.get("evaluation") or {})} - {CLEAN}:
        judged.append(own(folder, config, result))
    if not judged:
        problem = "its student has not been judged: no attack has run on it"
        raise error("report", problem, given=folder, remedy=f"run advkd eval {folder}")
    return judged


def _fullness(audit: Judged, threat: str) -> tuple[bool, bool, bool, int, int]:
    """Sorts the fullest audit first; not by time, so that looking closer does not change the page."""
    elsewhere = audit.terms["threat"] != threat
    return elsewhere, not audit.complete, audit.part == "validation", -audit.scores.n, -len(audit.attacks)


def row_of(folder: Path, judged: Judged | None, error: str | None = None) -> Row:
    """The student of a run folder, as `judged` shows it."""
    config = yaml_of(folder / RUN) if (folder / RUN).exists() else {}
    result = read(folder / RESULT) if (folder / RESULT).exists() else {}
    return Row(
        name=" + ".join([str(config.get("preset", folder.name)), *config.get("modifiers", {})]),
        hash=str(config.get("hash", "")),
        seed=result.get("seed", config.get("seed")),
        folder=folder,
        judged=judged,
        history=history_of(folder, config, result, judged) if config else None,
        paths=paths(folder / PATHS),
        config=config,
        scales=result.get("scales"),
        error=error,
    )


def audited(folder: Path) -> Judged:
    """What an audit found of the network it judged."""
    about, arrays = read(folder / RESULT), arrays_of(folder / EXAMPLES)
    with sound(folder / EXAMPLES):
        ledger = json.loads(str(arrays["about"]))
    with sound(folder / RESULT):
        judged = _audited(about, ledger, arrays)
    bits = [*judged.right.values(), *judged.tried.values()]
    missing = judged.complete and not judged.tried[CLEAN].all()
    if missing or any(len(one) != about["n_test"] for one in bits):
        raise damaged(folder / EXAMPLES, f"it does not hold every one of {about['n_test']} images")
    return judged


def _audited(about: Mapping[str, Any], ledger: Mapping[str, Any], arrays: Arrays) -> Judged:
    who, options = about["judged"], about.get("options", {})
    names = [name for owner, name, _ in ledger["entries"] if owner == who]
    others = {key: about[key] for key in ("last", "teacher") if isinstance(about.get(key), dict)}
    # named as one of those that are judged, where it is
    teacher = ledger["nets"].get("nets.teacher") or ledger["nets"].get("teacher")
    n = about["n_test"]
    scores = {key: Scores(row["clean"], row["robust"], n) for key, row in others.items()}
    return Judged(
        shown=f"audit, suite {about['suite']}",
        terms={
            "threat": about["threat"],
            "images": ledger["images"],
            # what was left out, for want of a network or of time, makes a verdict of another kind
            "attacks": json.dumps(
                {
                    **{key: options.get(key) for key in OF_TERMS},
                    "made": names,
                    **({} if about["complete"] else {"complete": False}),
                    **({CODE: ledger[CODE]} if CODE in ledger else {}),
                },
                sort_keys=True,
            ),
        },
        right={name: arrays[f"{who}.{name}"] for name in names},
        tried={name: arrays[f"{who}.{name}.tried"] for name in names},
        by_class=about["classes"]["robust"],
        last=scores.get("last"),
        teacher=scores.get("teacher"),
        teacher_mark=None if teacher is None else Mark.of(teacher).digits,
        audit=about,
    )


def own(folder: Path, config: Mapping[str, Any], result: Mapping[str, Any]) -> Judged:
    """What a run found of its student when it ended."""
    arrays = arrays_of(folder / EXAMPLES)
    with sound(folder / EXAMPLES):
        return _own(config, result, arrays)


def _own(config: Mapping[str, Any], result: Mapping[str, Any], arrays: Arrays) -> Judged:
    right = {key.removeprefix("student."): bits for key, bits in arrays.items() if key.startswith("student.")}
    n = len(right[CLEAN])
    last, teacher = (
        Scores(row["clean"], row["robust"], n) if row else None
        for row in (result.get("last"), result.get("teacher"))
    )
    data = {"data": config.get("data"), "split": config.get("split"), "given": result.get("given")}
    judged = Judged(
        shown="the run's own evaluation",
        terms={
            "threat": threat_of(config),
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


def history_of(
    folder: Path, config: Mapping[str, Any], result: Mapping[str, Any], judged: Judged | None
) -> History:
    """Validation and weights by epoch, cost, and what a reader of the numbers of `judged` has to know."""
    notes = list(_notes(config, judged))
    with sound(folder / METRICS):
        return _history(folder, result, notes)


def _history(folder: Path, result: Mapping[str, Any], notes: Sequence[str]) -> History:
    told = [record for record in lines(folder / METRICS) if record.get("stage", "student") == "student"]

    def series(name: str) -> Any:
        return np.array([record["value"] for record in told if record["name"] == name])

    return History(
        clean=series("validation.clean"),
        robust=series("validation.robust"),
        loss=series("train.loss"),
        weights=dict(_weights(told)),
        cost=result.get("cost", {}),
        environment=result.get("environment", {}),
        engine=result.get("engine", {}),
        notes=notes,
    )


def _weights(told: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Floats]]:
    """By term (E,T); NaN in the epochs before a term counts."""
    epochs = 1 + max((record.get("epoch", 0) for record in told), default=0)
    terms = dict.fromkeys(r["name"] for r in told if r["name"].startswith("train.weight."))
    for term in terms:
        found = {r["epoch"]: list(r["parts"].values()) for r in told if r["name"] == term}
        table = np.full((epochs, len(next(iter(found.values())))), np.nan)
        table[list(found)] = list(found.values())
        yield term.removeprefix("train.weight."), table


def _notes(config: Mapping[str, Any], judged: Judged | None) -> Iterator[str]:
    split, data = config.get("split") or {}, config.get("data") or {}
    # an audit may have had a split of its own, or have left the test images alone
    audit = ((judged and judged.audit) or {}).get("options") or {}
    limits = {"train": split.get("train"), "test": (audit.get("split") or split).get("test")}
    if audit.get("part") == "validation":
        del limits["test"]
    for part, what in (("train", "training"), ("test", "test")):
        if limits.get(part) is not None:
            yield f"Limited to {limits[part]} {what} images (split.{part}), stratified."
    if judged is not None and judged.scores.n == audit.get("limit"):
        yield f"Of the {judged.part or 'test'} images {judged.scores.n} were judged (limit), stratified."
    if data.get("size") is not None:
        yield f"Images were resized to {data['size']} x {data['size']} pixels (data.size)."


def paths(file: Path) -> Paths | None:
    """The traced paths of a run; None for a run that has left none."""
    if not file.exists():
        return None
    arrays = arrays_of(file)
    with sound(file):
        return _paths(arrays)


def _paths(arrays: Arrays) -> Paths:
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
