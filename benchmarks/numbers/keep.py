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
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from advkd.config.entries import CLEAN
from advkd.files import write_arrays, write_json
from advkd.reporting.gather import compared
from advkd.reporting.markdown import table as table_of
from advkd.reporting.words import spread
from advkd.statistics.family import on_equal_seeds

FOLDER = Path(__file__).parents[2] / "docs" / "numbers"
KEPT = (
    "command",
    "hash",
    "setting",
    "threat",
    "suite",
    "on",
    "n",
    "seeds",
    "equal",
    "epochs",
    "differences",
    "teacher",
    "tflop",
    "headline",
    "environment",
)


def bits(name: str, what: str) -> dict[str, dict[int, NDArray[np.bool_]]]:
    """Who gets which image right, by label and seed: `clean` or `robust`."""
    found: dict[str, dict[int, NDArray[np.bool_]]] = {}
    with np.load(FOLDER / f"{name}.npz", allow_pickle=False) as arrays:
        for key in arrays.files:
            label, seed, kind = key.rsplit("|", 2)
            if kind == what:
                found.setdefault(label, {})[int(seed)] = arrays[key]
    return found


def table(name: str) -> list[str]:
    """The lines of the Markdown table, the highest robust accuracy first."""
    seeds = on_equal_seeds(bits(name, "robust"))
    clean, robust = (
        {label: [float(of[seed].mean()) for seed in seeds.get(label, of)] for label, of in found.items()}
        for found in (bits(name, CLEAN), bits(name, "robust"))
    )
    ranked = sorted(robust, key=lambda label: -statistics.fmean(robust[label]))
    rows = [[label, spread(clean[label]), spread(robust[label]), str(len(robust[label]))] for label in ranked]
    return table_of(["method", CLEAN, "robust", "seeds"], rows).splitlines()


def keep(comparison: Path, name: str) -> None:
    """Writes both files."""
    about: dict[str, Any] = json.loads((comparison / "result.json").read_text(encoding="utf-8"))
    arrays, failed = {}, []
    for row in compared(comparison, about):
        if row.judged is None:
            failed.append(f"{row.name}, seed {row.seed}: {row.error}")
            continue
        arrays[f"{row.name}|{row.seed}|{CLEAN}"] = row.judged.right[CLEAN]
        arrays[f"{row.name}|{row.seed}|robust"] = row.judged.survivors
    FOLDER.mkdir(exist_ok=True)
    content = {"date": datetime.date.today().isoformat(), **{key: about[key] for key in KEPT}}
    content["failed"] = failed
    # all other verdicts follow from the bits as well, and would be thousands of lines
    content["methods"] = [verdict for verdict in about["methods"] if verdict["p"] is not None]
    write_arrays(FOLDER / f"{name}.npz", arrays)
    write_json(FOLDER / f"{name}.json", content)


if __name__ == "__main__":
    keep(Path(sys.argv[1]), sys.argv[2])
    print("\n".join(table(sys.argv[2])))
