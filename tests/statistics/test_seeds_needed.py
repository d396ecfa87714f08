"""How many seeds a difference would need, and when no number would do."""

from __future__ import annotations

import math

import numpy as np
import pytest
from made import counted
from scipy import stats

from advkd.statistics.methods import MOST, methods


def test_seeds_needed_is_the_textbook_number():
    # differences -100, 100, 300 have mean / sd = 1/2: 34 pairs at 5 % and a power of 80 %
    bits = {"a": counted(10_000, 5000, 5000, 5000), "b": counted(10_000, 5100, 4900, 4700)}
    (verdict,) = methods(bits, family="f")
    assert (verdict.verdict, verdict.seeds_needed) == ("not distinguishable", 34)
    assert "takes about 34 seeds: a rough guess from 3, for 80 % power." in verdict.says


def split(seeds, own, common):
    """Two methods: `own` other images in each seed favour the first, `common` ones do in all."""
    first = [[*range(1000, 1000 + common), *range(100 * seed, 100 * seed + own)] for seed in range(seeds)]
    rows = np.zeros((seeds, 2000), dtype=bool)
    for seed, right in enumerate(first):
        rows[seed, right] = True
    return {"a": dict(enumerate(rows)), "b": dict(enumerate(np.zeros_like(rows)))}


def test_what_seeds_share_is_what_no_number_of_them_takes_away():
    (made,) = methods(split(5, own=40, common=0), family="f")
    assert (2000 * made.error, made.shared) == (pytest.approx(math.sqrt(5 * 40 / 25)), 0)
    (made,) = methods(split(5, own=0, common=40), family="f")
    assert made.shared == pytest.approx(made.error) == pytest.approx(math.sqrt(40) / 2000)
    (made,) = methods(split(5, own=40, common=20), family="f")
    assert 2000 * made.shared == pytest.approx(math.sqrt(20))


def test_seeds_needed_counts_the_images():
    # in each seed 30 images of its own favour the first, 25 and more the second; 3 favour the first in all
    a, b = split(5, own=30, common=3).values()
    for seed, row in b.items():
        row[1500 + 40 * seed : 1525 + 41 * seed] = True
    (made,) = methods({"a": a, "b": b}, family="f")
    assert made.verdict == "not distinguishable"
    quantile = stats.norm.isf(0.025) + stats.norm.isf(0.2)
    shrinks = made.error**2 - made.shared**2
    told, before = (
        made.shared**2 + shrinks * 5 / seeds for seeds in (made.seeds_needed, made.seeds_needed - 1)
    )
    assert told <= (made.difference / quantile) ** 2 < before


def test_seeds_needed_is_not_said_where_no_number_would_do():
    a, b = counted(1000, 507, 508, 507, 508, 508), counted(1000, *[500] * 5)
    (alone,) = methods({"a": a, "b": b}, family="f")
    assert (alone.verdict, alone.seeds_needed) == ("better", None)
    # one of 15 pairs: its own p is small enough, the corrected one is not
    others = {str(i): counted(1000, 500 + i, 500, 500 - i, 500, 500) for i in range(4)}
    verdict = methods({"a": a, "b": b, **others}, family="f")[0]
    assert verdict.p < 0.05 < verdict.p_holm
    # these students err on much the same images
    assert verdict.by_images
    assert verdict.seeds_needed is None
    assert "Judging by 5 seeds, more would not detect a difference this large on these images" in verdict.says


def test_seeds_needed_of_two_seeds_far_apart():
    # effect 2.2 at level 0.05 / 6, where two-sided power is nan in scipy for few seeds
    rows = {"a": counted(1000, 573, 537), "b": counted(1000, 500, 500)}
    others = {name: counted(1000, 400 - 9 * i, 400 + 7 * i) for i, name in enumerate("cd", 1)}
    verdict = methods({**rows, **others}, family="f")[0]
    assert (verdict.comparisons, verdict.verdict, verdict.seeds_needed) == (6, "not distinguishable", 7)


def test_seeds_needed_is_capped():
    bits = {"a": counted(100, 50, 10, 91), "b": counted(100, 50, 50, 50)}
    (verdict,) = methods(bits, family="f")
    assert verdict.seeds_needed == MOST + 1
    assert "takes more than 1000 seeds" in verdict.says


def test_equal_on_average_needs_no_number_of_seeds():
    bits = {"a": counted(100, 50, 52, 54), "b": counted(100, 54, 52, 50)}
    (verdict,) = methods(bits, family="f")
    assert (verdict.difference, verdict.seeds_needed, verdict.p) == (0, None, 1)
