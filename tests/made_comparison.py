"""A comparison of a few short runs, written as `advkd compare` leaves one."""

from __future__ import annotations

import itertools
import json
from importlib.resources import files
from pathlib import Path

import numpy as np
from scipy import stats

import advkd
from advkd.auditing.case import resolve_case
from advkd.auditing.open import judged
from advkd.reporting.reading import audited

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
    rows, bits = [], {}
    for preset, seed in itertools.product(presets, seeds):
        run = advkd.resolve(*(words or brief()), f"preset={preset}", f"seed={seed}")
        cell = folder / "cells" / f"{preset}-{run.hash}-{seed}"
        advkd.train(run, out=cell)
        out = judged(resolve_case(str(cell), *audit)).folder
        bits[preset, seed] = audited(out).survivors
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
        "n": len(bits[presets[0], seeds[0]]),
        "equal": "epochs",
        "differences": ["path-dual: its scales sum to 2.67, those of rslad to 1"],
        "seeds": list(seeds),
        "epochs": run.epochs,
        "teacher": teacher,
        "headline": headline(bits, presets, seeds),
        "rows": rows,
        "students": [student(bits, a, b, s) for a, b in itertools.combinations(presets, 2) for s in seeds],
        "methods": [method(bits, a, b, seeds) for a, b in itertools.combinations(presets, 2)],
        "command": "advkd compare " + " ".join(presets),
        "environment": {"device": "cpu"},
        "hash": "0123abcd",
    }
    (folder / "result.json").write_text(json.dumps(content))
    return folder


def headline(bits, presets, seeds) -> str:
    means = {p: np.mean([bits[p, s].mean() for s in seeds]) for p in presets}
    first, second, *_ = sorted(means, key=means.get, reverse=True)
    lead = 100 * (means[first] - means[second])
    p = method(bits, first, second, seeds)["p"]
    sure = "distinguishable" if p < 0.05 else "not distinguishable"
    return (
        f"{first} is the most robust, {100 * means[first]:.1f} %, {lead:.1f} points above {second}; over "
        f"{len(seeds)} seeds the two are {sure} (p = {p:.2f})."
    )


def student(bits, a, b, seed) -> dict:
    one, two = bits[a, seed], bits[b, seed]
    only_a, only_b = int((one & ~two).sum()), int((two & ~one).sum())
    p = stats.binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    verdict = "not distinguishable" if p > 0.05 else f"{a if only_a > only_b else b} is better"
    return {
        "a": a,
        "b": b,
        "seed": seed,
        "n": len(one),
        "only_a": only_a,
        "only_b": only_b,
        "difference": float(one.mean() - two.mean()),
        "p": float(p),
        "p_holm": float(p),
        "verdict": verdict,
        "says": f"Seed {seed}: {a} and {b}: {verdict}: of {len(one)} images {a} alone gets {only_a} right "
        f"and {b} alone {only_b} (p = {p:.3f}).",
    }


def method(bits, a, b, seeds) -> dict:
    apart = np.array([bits[a, s].mean() - bits[b, s].mean() for s in seeds])
    test = stats.ttest_1samp(apart, 0)
    p = float(np.nan_to_num(test.pvalue, nan=1.0))
    low, high = test.confidence_interval() if apart.std() else (apart.mean(), apart.mean())
    verdict = "not distinguishable" if p > 0.05 else f"{a if apart.mean() > 0 else b} is better"
    return {
        "a": a,
        "b": b,
        "seeds": list(seeds),
        "difference": float(apart.mean()),
        "sd": float(apart.std(ddof=1)),
        "interval": [float(low), float(high)],
        "p": p,
        "p_holm": p,
        "verdict": verdict,
        "indicative": len(seeds) < 5,
        "seeds_needed": None,
        "says": f"{a} and {b}: {verdict}: over {len(seeds)} seeds the difference is "
        f"{100 * apart.mean():+.2f} points, 95 % interval {100 * low:+.2f} to {100 * high:+.2f} (p {p:.3f})."
        " Indicative: fewer than 5 seeds.",
    }
