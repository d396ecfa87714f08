"""What the verdicts show on made data, and what holds of all of them."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import trained
from scipy.stats import ttest_1samp

from advkd.statistics.methods import methods
from advkd.statistics.students import students

N = 10_000
FLIP = {"better": "worse", "worse": "better", "not distinguishable": "not distinguishable"}


@pytest.fixture(autouse=True)
def small_heap():
    """`multipletests` collects garbage at every call, for long in a large process."""
    gc.freeze()
    yield
    gc.unfreeze()


def difficulty(rng):
    """(N,) chance of each image to be right, shared by all students."""
    return rng.uniform(0.05, 0.95, N).astype(np.float32)


@pytest.mark.parametrize("seeds", [2, 3, 4])
def test_a_true_null_of_few_seeds_is_rejected_less_often_than_it_should(seeds):
    rng, rejected = np.random.default_rng(0), 0
    for _ in range(200):
        images = difficulty(rng)
        pair = {name: trained(rng, images, seeds=seeds) for name in "ab"}
        rejected += methods(pair, family="null")[0].verdict != "not distinguishable"
    assert rejected <= 10


def test_a_true_null_is_rejected_no_more_often_than_it_should():
    rng, rejected = np.random.default_rng(0), 0
    for _ in range(500):
        images = difficulty(rng)
        (verdict,) = methods({"a": trained(rng, images), "b": trained(rng, images)}, family="null")
        rejected += verdict.verdict != "not distinguishable"
    assert 10 <= rejected <= 37  # 25 expected; 37 is the 99 % point, 10 the 0.04 % point


def test_images_that_favour_one_method_are_no_verdict_on_methods():
    """Equal in general, but other images are hard: the seeds alone would tell one pair in four apart."""
    rng, rejected, alone = np.random.default_rng(0), 0, 0
    for _ in range(500):
        shared, half = rng.uniform(0.05, 0.95, 360), rng.normal(0, 0.15, 360)
        a, b = (
            trained(rng, np.clip(shared + side * half, 0, 1).astype(np.float32), seeds=10) for side in (1, -1)
        )
        (verdict,) = methods({"a": a, "b": b}, family="null")
        rejected += verdict.verdict != "not distinguishable"
        alone += ttest_1samp([a[seed].mean() - b[seed].mean() for seed in a], 0).pvalue <= 0.05
    assert rejected <= 37 < 90 < alone


def test_students_of_a_true_null_do_differ():
    """Seeds move students: McNemar sees that and must not be read as a verdict on methods."""
    rng, rejected = np.random.default_rng(1), 0
    for _ in range(200):
        images = difficulty(rng)
        (verdict,) = students(
            {"a": trained(rng, images, seeds=1), "b": trained(rng, images, seeds=1)}, family="null"
        )
        rejected += verdict.p <= 0.05
    assert rejected > 20


def test_five_points_are_found_at_five_seeds():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        images = difficulty(rng)
        bits = {
            "a": trained(rng, images),
            "b": trained(rng, images),
            "ours": trained(rng, images, shift=0.05),
        }
        _, *found = methods(bits, family="planted")
        assert {v.b for v in found} == {"ours"}
        assert {v.verdict for v in found} == {"worse"}
        assert all(abs(v.difference + 0.05) < 0.02 for v in found)


ROWS = st.lists(st.lists(st.booleans(), min_size=6, max_size=6), min_size=3, max_size=3)
SETS = st.fixed_dictionaries({"a": ROWS, "b": ROWS, "c": ROWS}).map(
    lambda sets: {name: dict(enumerate(np.array(rows))) for name, rows in sets.items()}
)


@settings(max_examples=30)
@given(SETS, st.permutations(range(3)))
def test_order_of_seeds_and_of_names(bits, order):
    turned = {name: {seed: rows[seed] for seed in order} for name, rows in reversed(bits.items())}
    for judge in (methods, students):
        there = judge(bits, family="f")
        back = {(v.b, v.a, getattr(v, "seed", None)): v for v in judge(turned, family="f")}
        assert len(there) == len(back)
        for verdict in there:
            other = back[verdict.a, verdict.b, getattr(verdict, "seed", None)]
            np.testing.assert_allclose(other.difference, -verdict.difference)
            np.testing.assert_allclose(other.p_holm, verdict.p_holm)
            assert other.verdict == FLIP[verdict.verdict]
            if judge is methods:
                np.testing.assert_allclose(
                    other.interval, [-end for end in verdict.interval[::-1]], atol=1e-12
                )
                assert other.seeds_needed == verdict.seeds_needed
                assert verdict.seeds_needed is None or verdict.seeds_needed > len(verdict.seeds)


@settings(max_examples=30)
@given(SETS)
def test_holm_keeps_the_order_of_p_and_never_lowers_it(bits):
    for judge in (methods, students):
        verdicts = sorted(judge(bits, family="f"), key=lambda v: v.p)
        corrected = [v.p_holm for v in verdicts]
        assert corrected == sorted(corrected)
        assert all(v.p <= v.p_holm <= 1 for v in verdicts)
        assert verdicts[0].p_holm == min(1, len(verdicts) * verdicts[0].p)
