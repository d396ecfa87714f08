"""Keeps a comparison among the numbers: what was measured as JSON, the bits it is computed from beside it.

    python benchmarks/numbers/keep.py comparisons/digits-1a2b3c4d NAME

Writes `docs/numbers/NAME.json` and `NAME.npz` and prints the table for `docs/numbers.md`, which a test holds
to these bits.
"""

from __future__ import annotations

import datetime
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from advkd.auditing.tables import percent
from advkd.config.entries import CLEAN
from advkd.reporting.gather import compared

FOLDER = Path(__file__).parents[2] / "docs" / "numbers"
KEPT = ("command", "hash", "setting", "threat", "suite", "on", "n", "seeds", "equal", "epochs", "differences")
KEPT += ("teacher", "tflop", "headline", "methods", "environment")

Bits = Mapping[str, Mapping[int, NDArray[np.bool_]]]


def bits(name: str, what: str) -> dict[str, dict[int, NDArray[np.bool_]]]:
    """Who gets which image right, by label and seed: `clean` or `robust`."""
    found: dict[str, dict[int, NDArray[np.bool_]]] = {}
    with np.load(FOLDER / f"{name}.npz", allow_pickle=False) as arrays:
        for key in arrays.files:
            label, seed, kind = key.split("|")
            if kind == what:
                found.setdefault(label, {})[int(seed)] = arrays[key]
    return found


def spread(rows: Sequence[NDArray[np.bool_]]) -> str:
    """Mean and standard deviation over seeds, in percent."""
    values = [float(row.mean()) for row in rows]
    deviation = f" ± {percent(statistics.stdev(values))}" if len(values) > 1 else ""
    return f"{percent(statistics.fmean(values))}{deviation}"


def table(name: str) -> list[str]:
    """The rows of the Markdown table, the highest robust accuracy first."""
    clean, robust = bits(name, CLEAN), bits(name, "robust")
    ranked = sorted(robust, key=lambda label: -float(np.mean([row.mean() for row in robust[label].values()])))
    return [
        f"| {label} | {spread(list(clean[label].values()))} | {spread(list(robust[label].values()))} "
        f"| {len(robust[label])} |"
        for label in ranked
    ]


def keep(comparison: Path, name: str) -> None:
    """Writes both files."""
    about: dict[str, Any] = json.loads((comparison / "result.json").read_text(encoding="utf-8"))
    arrays = {}
    for row in compared(comparison, about):
        if row.judged is not None:
            arrays[f"{row.name}|{row.seed}|{CLEAN}"] = row.judged.right[CLEAN]
            arrays[f"{row.name}|{row.seed}|robust"] = row.judged.survivors
    FOLDER.mkdir(exist_ok=True)
    np.savez_compressed(FOLDER / f"{name}.npz", allow_pickle=False, **arrays)
    content = {"date": datetime.date.today().isoformat(), **{key: about[key] for key in KEPT}}
    (FOLDER / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    keep(Path(sys.argv[1]), sys.argv[2])
    print("\n".join(["| method | clean | robust | seeds |", "|---|---|---|---|", *table(sys.argv[2])]))
