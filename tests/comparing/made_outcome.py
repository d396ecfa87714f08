"""Comparisons of students whose verdicts are given."""

from __future__ import annotations

import json

import numpy as np
from compare_parts import SMALL

from advkd.comparing.cell import Made
from advkd.comparing.outcome import concluded
from advkd.comparing.plan import planned
from advkd.comparing.request import parsed
from advkd.reporting.material import Judged

N = 1000


def judged(robust):
    """A student that stands on the first `robust` of a thousand images."""
    yes, stands = np.ones(N, dtype=bool), np.arange(N) < robust
    terms = {"threat": "linf eps 0.2", "images": "x", "attacks": "y"}
    return Judged(
        shown="here",
        terms=terms,
        right={"clean": yes, "pgd": stands},
        tried=dict.fromkeys(("clean", "pgd"), yes),
    )


def outcome(tmp_path, robust, threads=(1,)):
    """The comparison of entrants that reach `robust` (seeds by label), None for a cell that failed."""
    seeds = range(len(next(iter(robust.values()))))
    words = [f"presets={','.join(robust)}", f"seeds={','.join(map(str, seeds))}", *SMALL]
    plan = planned(parsed(words))
    made = []
    for i, cell in enumerate(plan.cells):
        folder, n = tmp_path / "cells" / cell.name, robust[cell.label][cell.run.seed]
        folder.mkdir(parents=True)
        about = {"environment": {"device": "cuda", "threads": threads[i % len(threads)]}}
        (folder / "result.json").write_text(json.dumps(about))
        made.append(Made(folder, error="planted") if n is None else Made(folder, None, judged(n)))
    return concluded(plan, tmp_path / "it", made, None, {})
