"""Three ways to tell methods apart by few seeds and few images: how often each finds a difference in none.

    python benchmarks/two_tests.py [draws]

Of a pair of equal methods: its mean gain over `seeds`, the variance between seeds as those seeds estimate it,
and the variance of the images, which is known well. Printed: how many times as often as its level each way
finds a difference. `both tests` is the toolkit's (advkd/statistics/methods.py), `satterthwaite` one t test on
the sum of both variances with degrees of freedom of that name, `seeds` the t test over seeds alone.
"""

from __future__ import annotations

import itertools
import sys

import numpy as np
from numpy.typing import NDArray
from scipy import stats


def false_finds(
    rng: np.random.Generator, seeds: int, of_seeds: float, level: float, draws: int
) -> dict[str, float]:
    """By name, findings to the level; the variance of the mean is `of_seeds` by seeds and 1 by images."""
    gain = np.abs(rng.normal(0, np.sqrt(of_seeds + 1), draws))
    between = of_seeds * rng.chisquare(seeds - 1, draws) / (seeds - 1)
    both = between + 1
    p_seeds = 2 * stats.t.sf(gain / np.sqrt(between), seeds - 1)
    p_both = 2 * stats.norm.sf(gain / np.sqrt(both))
    freedom: NDArray[np.float64] = (both / between) ** 2 * (seeds - 1)
    found = {
        "both tests": np.maximum(p_seeds, p_both),
        "satterthwaite": 2 * stats.t.sf(gain / np.sqrt(both), freedom),
        "seeds": p_seeds,
    }
    return {name: float((p <= level).mean()) / level for name, p in found.items()}


if __name__ == "__main__":
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    generator = np.random.default_rng(0)
    for level, seeds, of_seeds in itertools.product((0.05, 0.001), (3, 5, 10), (0.1, 1.0, 10.0)):
        finds = false_finds(generator, seeds, of_seeds, level, times)
        told = "  ".join(f"{name} {times_level:.2f}" for name, times_level in finds.items())
        print(f"level {level}  {seeds} seeds  between seeds / images {of_seeds}  {told}")
