"""Every preset on digits with several seeds, and the controls of `path-dual`.

    python benchmarks/digits.py FOLDER [seeds] [word ...]

Leaves one run folder per row and seed in FOLDER and goes on where it was stopped; prints a Markdown table of
means and standard deviations over seeds (best validation epoch, test split). About half a minute per run.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

import advkd
from advkd.api import resume

ROWS = {
    "standard": ("preset=standard",),
    "kd": ("preset=kd",),
    "pgd-at": ("preset=pgd-at",),
    "trades": ("preset=trades",),
    "mart": ("preset=mart",),
    "ard": ("preset=ard",),
    "iad": ("preset=iad",),
    "adaad": ("preset=adaad",),
    "rslad": ("preset=rslad",),
    "rslad, 60 epochs": ("preset=rslad", "epochs=60"),
    "rslad, scales summing to 2.667": ("preset=rslad", "method.total=2.667"),
    "path-end": ("preset=path-end",),
    "path-single": ("preset=path-single",),
    "path-uniform": ("preset=path-uniform",),
    "path-dual": ("preset=path-dual",),
    "path-dual, draw all": (
        "preset=path-dual",
        "method.branches.untargeted.terms.path.draw=all",
        "method.branches.targeted.terms.path.draw=all",
    ),
}


def measured(folder: Path, words: tuple[str, ...]) -> dict[str, Any]:
    """The content of `result.json` of one run, trained if it is not there yet."""
    if not (folder / "run.yaml").exists():
        advkd.train(advkd.resolve(*words), out=folder)
    elif not (folder / "result.json").exists():
        resume(folder)
    content: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return content


def spread(values: list[float]) -> str:
    """Mean and standard deviation in percent."""
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{100 * statistics.mean(values):.1f} ± {100 * deviation:.1f}"


def main(folder: Path, seeds: int, more: tuple[str, ...]) -> None:
    """Runs what is missing and prints the table."""
    print("| preset | clean | worst case | last: worst case | passes per image | training, s |")
    print("|---|---|---|---|---|---|")
    for name, words in ROWS.items():
        runs = []
        for seed in range(seeds):
            place = folder / f"{name.replace(' ', '-').replace(',', '')}-{seed}"
            runs.append(measured(place, (*words, *more, f"seed={seed}")))
        passes = runs[0]["cost"]["student_forwards"] / (30 * 19 * 64)
        seconds = statistics.mean(run["cost"]["train_seconds"] for run in runs)
        columns = (
            spread([run["clean"] for run in runs]),
            spread([run["robust"] for run in runs]),
            spread([run["last"]["robust"] for run in runs]),
            f"{passes:.0f}",
            f"{seconds:.0f}",
        )
        print(f"| {name} | {' | '.join(columns)} |", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3, tuple(sys.argv[3:]))
