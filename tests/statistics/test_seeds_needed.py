"""How many seeds a difference would need, and when no number would do."""

from __future__ import annotations

import math

import numpy as np
import pytest
from made import counted

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


LUCK = ((28, 21), (21, 28), (24, 24))
"""Images by luck right in the first or the second alone, of each seed: as 98 at even odds would have it."""


def three_seeds(own, others):
    """Two methods: the first alone gets `own` images right in all seeds, the second alone `others`."""
    a, b = (np.zeros((3, 360), dtype=bool) for _ in "ab")
    a[:, :own] = b[:, own : own + others] = True
    for seed, (first, second) in enumerate(LUCK):
        start = 150 + 49 * seed
        a[seed, start : start + first] = b[seed, start + first : start + first + second] = True
    return {"a": dict(enumerate(a)), "b": dict(enumerate(b))}


def drawn(own, others, seeds, rng):
    """The same two methods in other seeds."""
    sure, luck = three_seeds(own, others), 360 - 98
    rows = {}
    for name, of in sure.items():
        right = np.tile(of[0], (seeds, 1))
        right[:, 150:] = False
        right[:, luck:] = rng.random((seeds, 98)) < 0.5
        rows[name] = dict(enumerate(right))
    return rows


@pytest.mark.parametrize(("own", "others"), [(20, 6), (16, 5), (15, 5)])
def test_seeds_needed_find_the_difference_on_these_images(own, others):
    (verdict,) = methods(three_seeds(own, others), family="f")
    assert 360 * verdict.sd == pytest.approx(7)
    assert 360 * verdict.shared == pytest.approx(math.sqrt(own + others))
    assert 5 <= verdict.seeds_needed < MOST
    rng = np.random.default_rng(0)
    again = [methods(drawn(own, others, verdict.seeds_needed, rng), family="f") for _ in range(100)]
    assert 0.7 < np.mean([one.verdict == "better" for (one,) in again]) < 0.95


def test_no_number_of_seeds_finds_what_the_images_leave_open():
    (verdict,) = methods(three_seeds(12, 5), family="f")
    assert (verdict.by_images, verdict.seeds_needed) == (True, None)
    rng = np.random.default_rng(0)
    again = [methods(drawn(12, 5, 200, rng), family="f")[0] for _ in range(20)]
    assert {one.verdict for one in again} == {"not distinguishable"}


def test_one_image_is_not_found_by_any_number_of_seeds():
    rows = np.zeros((5, 359), dtype=bool)
    rows[range(5), range(5)] = True
    (verdict,) = methods({"a": dict(enumerate(rows)), "b": dict(enumerate(np.zeros_like(rows)))}, family="f")
    assert (verdict.shared, verdict.by_images, verdict.seeds_needed) == (0, True, None)


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
    bits = {"a": counted(10_000, 5000, 1000, 9100), "b": counted(10_000, 5000, 5000, 5000)}
    (verdict,) = methods(bits, family="f")
    assert verdict.seeds_needed == MOST + 1
    assert "takes more than 1000 seeds" in verdict.says


def test_equal_on_average_needs_no_number_of_seeds():
    bits = {"a": counted(100, 50, 52, 54), "b": counted(100, 54, 52, 50)}
    (verdict,) = methods(bits, family="f")
    assert (verdict.difference, verdict.seeds_needed, verdict.p) == (0, None, 1)
