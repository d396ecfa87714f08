"""How often methods that are equal in general are told apart on the images they happen to be judged on.

    python benchmarks/nulls.py [comparisons]

Made students: an image is right with a chance that both methods share, plus an effect of the seed (SD 0.5
points). With `apart` the chances of the two methods differ by that much (SD) from image to image, and are
equal over all. Printed: the share told apart at the 5 % level by the toolkit, and by the seeds alone; then
how often ten equal methods of few seeds are not all called equal.
"""

from __future__ import annotations

import itertools
import sys

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from advkd.statistics.methods import methods


def students(
    rng: np.random.Generator, chances: NDArray[np.float64], seeds: int
) -> dict[int, NDArray[np.bool_]]:
    """Seed to (n,) bool."""
    effects = rng.normal(0, 0.005, seeds)
    return {seed: rng.random(len(chances)) < chances + effect for seed, effect in enumerate(effects)}


def told_apart(n: int, seeds: int, apart: float, times: int) -> tuple[float, float]:
    """The shares of comparisons that find a difference: by `methods`, by a plain paired t test."""
    rng, found, plain = np.random.default_rng(0), 0, 0
    for _ in range(times):
        shared, half = rng.uniform(0.05, 0.95, n), rng.normal(0, apart, n) / 2
        a, b = (students(rng, np.clip(shared + side * half, 0, 1), seeds) for side in (1, -1))
        (verdict,) = methods({"a": a, "b": b}, family="null")
        found += verdict.verdict != "not distinguishable"
        gains = [float(a[seed].mean() - b[seed].mean()) for seed in range(seeds)]
        plain += bool(stats.ttest_1samp(gains, 0).pvalue <= 0.05)
    return found / times, plain / times


def family_wrong(n: int, seeds: int, of_seed: float, times: int) -> float:
    """The share of comparisons of ten equal methods, 45 pairs, that find any difference."""
    rng, wrong = np.random.default_rng(0), 0
    for _ in range(times):
        chances = rng.uniform(0.05, 0.95, n)
        bits = {
            str(method): {
                seed: rng.random(n) < np.clip(chances + rng.normal(0, of_seed), 0, 1) for seed in range(seeds)
            }
            for method in range(10)
        }
        wrong += any(one.verdict != "not distinguishable" for one in methods(bits, family="null"))
    return wrong / times


if __name__ == "__main__":
    comparisons = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    for n, seeds, apart in itertools.product((10_000, 360), (3, 5, 10), (0.3, 0.0)):
        found, plain = told_apart(n, seeds, apart, comparisons)
        print(f"{n} images  {seeds} seeds  apart {apart}  told apart {found:.3f}  by seeds alone {plain:.3f}")
    for n, seeds, of_seed in ((359, 2, 0.05), (100, 2, 0.06), (359, 2, 0.02), (359, 3, 0.05)):
        found = family_wrong(n, seeds, of_seed, comparisons)
        print(f"{n} images  {seeds} seeds  SD of a seed {of_seed}  any of 45 pairs told apart {found:.3f}")
