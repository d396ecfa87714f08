"""Result sets made to order."""

from __future__ import annotations

import numpy as np


def result(n: int, right: range) -> np.ndarray:
    """(n,) bool: right on the images of `right`."""
    bits = np.zeros(n, dtype=bool)
    bits[right.start : right.stop] = True
    return bits


def counted(n: int, *counts: int) -> dict[int, np.ndarray]:
    """Seed s gets the first counts[s] of n images right."""
    return {seed: result(n, range(count)) for seed, count in enumerate(counts)}


def trained(
    rng: np.random.Generator, difficulty: np.ndarray, *, shift: float = 0.0, seeds: int = 5
) -> dict[int, np.ndarray]:
    """Students of one method: image i is right with chance difficulty[i] + shift + an effect of the seed.

    The effect has an SD of 0.5 points.
    """
    effects = rng.normal(shift, 0.005, seeds).astype(np.float32)
    draws = rng.random((seeds, len(difficulty)), dtype=np.float32)
    return dict(enumerate(draws < difficulty + effects[:, None]))
