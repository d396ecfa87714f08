"""A comparison of a few short runs, written as `advkd compare` leaves one."""

from __future__ import annotations

import itertools
import json
from importlib.resources import files
from pathlib import Path

import advkd
from advkd.auditing.case import resolve_case
from advkd.auditing.open import judged
from advkd.reporting.reading import audited
from advkd.statistics.methods import methods
from advkd.statistics.students import students

PRESETS, SEEDS = ("path-dual", "rslad"), (0, 1)
WORDS = ("setting=digits", "split.train=160", "split.test=60", "epochs=3", "batch_size=32")
AUDIT = ("suite=quick", "curves={images: 20, eps: [0.5, 1], steps: [5, 20], restarts: [1, 2]}", "rows=[best]")


def brief() -> tuple[str, ...]:
    """Words of a run that takes a second: its student goes on from a shipped network, its teacher is one."""
    file = files("advkd.auditing").joinpath("robust.safetensors")
    attacks = "evaluation={fgsm: fgsm, pgd-5: {use: pgd, steps: 5, restarts: 1}}"
    return (*WORDS, f"teacher={file}", f"student={{use: file, path: {file}}}", attacks)


def comparison(folder, presets=PRESETS, seeds=SEEDS, words=None, audit=AUDIT) -> Path:
    """Trains and audits every preset with every seed below `folder`; the last row is one that failed."""
    rows, bits = [], {preset: {} for preset in presets}
    for preset, seed in itertools.product(presets, seeds):
        run = advkd.resolve(*(words or brief()), f"preset={preset}", f"seed={seed}")
        cell = folder / "cells" / f"{preset}-{run.hash}-{seed}"
        advkd.train(run, out=cell)
        out = judged(resolve_case(str(cell), *audit)).folder
        bits[preset][seed] = audited(out).survivors
        places = {"folder": str(cell.relative_to(folder)), "audit": str(out.relative_to(folder))}
        rows.append({"name": preset, "seed": seed, "state": "done", "error": None, **places})
    rows.append({"name": "broken", "seed": 0, "state": "failed", "error": "the loss is no longer finite"})
    rows[-1] |= {"folder": "cells/broken-0", "audit": None}
    teacher = json.loads((folder / rows[0]["folder"] / "result.json").read_text())["teacher"]
    content = {
        "setting": "digits",
        "threat": "linf eps 0.2",
        "suite": "quick",
        "on": "test",
        "n": len(bits[presets[0]][seeds[0]]),
        "equal": "epochs",
        "differences": ["optimizer.lr: 0.2 for path-dual; 0.1 for rslad"],
        "scales": dict(zip(presets, (2.67, 1.0), strict=False)),
        "seeds": list(seeds),
        "epochs": dict.fromkeys(presets, run.epochs),
        "teacher": teacher,
        "headline": f"On these 60 images {presets[0]} has the highest mean robust accuracy, 50.0 %.",
        "rows": rows,
        "methods": [verdict.about for verdict in methods(bits, family="robust accuracy")],
        "students": [verdict.about for verdict in students(bits, family="robust accuracy")],
        "words": {preset: [f"preset={preset}"] for preset in presets},
        "command": "advkd compare " + " ".join(presets),
        "environment": {"device": "cpu"},
        "hash": "0123abcd",
    }
    (folder / "result.json").write_text(json.dumps(content))
    return folder
