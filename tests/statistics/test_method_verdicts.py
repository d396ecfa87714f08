"""The paired t test over seeds, and its degenerate cases."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
from made import counted, result
from scipy import stats

from advkd.errors import AdvkdError
from advkd.statistics.family import on_its_side
from advkd.statistics.methods import methods

A, B = counted(1000, 520, 533, 541, 519, 530), counted(1000, 500, 510, 505, 507, 511)


def test_golden_t():
    (verdict,) = methods({"a": A, "b": B}, family="f")
    # differences 20, 23, 36, 12, 19 of 1000: mean 22, squares about it 310, t = 22 / sqrt(310 / 4 / 5)
    sd, t = math.sqrt(310 / 4), 22 / math.sqrt(310 / 20)
    # closed form of Student's t at 4 degrees of freedom
    x = t / math.sqrt(4 + t * t)
    assert verdict.p == pytest.approx(1 - 1.5 * (x - x**3 / 3), rel=1e-9)
    assert verdict.difference == pytest.approx(0.022)
    assert verdict.sd == pytest.approx(sd / 1000)
    half = 2.7764451052 * sd / math.sqrt(5) / 1000
    assert verdict.interval == pytest.approx((0.022 - half, 0.022 + half))
    assert (verdict.verdict, verdict.indicative, verdict.seeds_needed) == ("better", False, None)
    assert verdict.says == (
        "a is better than b: +2.20 points over 5 seeds on these 1000 images, "
        "95 % interval +1.11 to +3.29 (p = 0.005)."
    )


def test_seeds_are_paired_by_name_not_by_place():
    turned = dict(reversed(B.items()))
    assert methods({"a": A, "b": turned}, family="f") == methods({"a": A, "b": B}, family="f")


def test_pairing_takes_out_what_a_seed_does_to_both():
    a = counted(1000, 403, 503, 602, 704, 803)
    b = counted(1000, 400, 500, 600, 700, 800)
    assert methods({"a": a, "b": b}, family="f")[0].verdict == "better"


def test_fewer_than_five_seeds_are_indicative():
    four = [{seed: row for seed, row in method.items() if seed < 4} for method in (A, B)]
    (verdict,) = methods(dict(zip("ab", four, strict=True)), family="f")
    assert (verdict.indicative, verdict.verdict) == (True, "better")
    assert verdict.says.endswith("Indicative: fewer than 5 seeds.")


def test_only_shared_seeds_count():
    (verdict,) = methods({"a": A, "b": {**B, 9: result(1000, range(0))}}, family="f")
    assert verdict == methods({"a": A, "b": B}, family="f")[0]
    assert verdict.seeds == (0, 1, 2, 3, 4)


def test_identical_sets_are_not_distinguishable():
    (verdict,) = methods({"a": A, "b": A}, family="f")
    assert (verdict.verdict, verdict.p, verdict.p_holm) == ("not distinguishable", 1, 1)
    assert (verdict.difference, verdict.sd, verdict.seeds_needed) == (0, 0, None)
    assert verdict.interval[0] < 0 < verdict.interval[1]


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_no_spread_is_not_certainty(seeds):
    b = counted(10_000, *[5000] * seeds)
    for images, verdict in ((1, "not distinguishable"), (1000, "better")):
        (made,) = methods({"a": counted(10_000, *[5000 + images] * seeds), "b": b}, family="f")
        assert (made.verdict, made.sd, made.seeds_needed) == (verdict, 0, None)
        # McNemar's error of one seed, z = sqrt(images), or a spread of one image in one of the seeds
        half = max(1.959964 * math.sqrt(images), stats.t.isf(0.025, seeds - 1) / seeds)
        assert made.difference - made.interval[0] == pytest.approx(half / 10_000)
        p = max(stats.norm.sf(math.sqrt(images)), stats.t.sf(images * seeds, seeds - 1))
        assert made.p == pytest.approx(2 * p)
        assert made.by_images == (verdict == "not distinguishable")


def test_no_interval_leaves_what_a_difference_can_be():
    rows = {"a": counted(60, 10, 50), "b": counted(60, 30, 20)}
    (made,) = methods(rows, family="f")
    assert made.interval == (-1, 1)
    assert "95 % interval -100.00 to +100.00" in made.says


@pytest.mark.parametrize("images", [5, 90])
def test_two_seeds_that_agree_to_the_image_tell_little_more_than_two_that_do_not(images):
    b = counted(1000, 500, 500)
    equal, apart = (
        methods({"a": counted(1000, 500 + images, 500 + images + more), "b": b}, family="f")[0]
        for more in (0, 1)
    )
    assert apart.p / 2 < equal.p
    assert equal.p > 1e-3


@pytest.mark.parametrize("seeds", [2, 3, 4, 5, 10])
def test_a_little_spread_makes_nobody_surer_than_none(seeds):
    halves, p = [], []
    for more in (0, 1, 2, 5, 10, 20, 30):
        rows = counted(1000, 550 - more, *[550] * (seeds - 2), 550 + more)
        (made,) = methods({"a": rows, "b": counted(1000, *[500] * seeds)}, family="f")
        halves.append(made.interval[1] - made.difference)
        p.append(made.p)
    # students that err on other images in every seed are a little more than one student several times
    assert all(later > 0.95 * earlier for earlier, later in itertools.pairwise(halves))
    assert min(p) > 0.5 * p[0]
    # one image of a thousand more in one of the seeds is no certainty
    rows = counted(1000, 550, *[551] * (seeds - 1))
    (made,) = methods({"a": rows, "b": counted(1000, *[500] * seeds)}, family="f")
    assert made.interval[1] - made.difference == pytest.approx(halves[0], rel=0.05)


def test_more_spread_than_the_images_have_is_the_error():
    rows = {"a": counted(1000, 550, 520, 580, 550, 551), "b": counted(1000, *[500] * 5)}
    (made,) = methods(rows, family="f")
    sd = math.sqrt((0.2**2 + 30.2**2 + 29.8**2 + 0.2**2 + 0.8**2) / 4)
    assert made.p == pytest.approx(2 * stats.t.sf(50.2 / sd * math.sqrt(5), 4))
    assert not made.by_images


def test_no_pair_of_many_hides_a_student_without_defence():
    # 91 pairs of three seeds: the error of the images has more than two degrees of freedom
    rng = np.random.default_rng(0)
    bits = {str(i): dict(enumerate(rng.random((3, 2000)) < 0.7)) for i in range(13)}
    verdicts = methods({"none": counted(2000, 0, 0, 1), **bits}, family="f")[:13]
    assert {(made.comparisons, made.verdict) for made in verdicts} == {(91, "worse")}


def test_seeds_that_agree_by_luck_tell_no_more_than_the_t_test():
    a, b = counted(10_000, 5200, 5196, 5204), counted(10_000, 5000, 5000, 5000)
    (made,) = methods({"a": a, "b": b}, family="f")
    assert made.p >= stats.ttest_1samp([200, 196, 204], 0).pvalue > 2 * stats.norm.sf(200 / math.sqrt(200))


def test_independent_students_err_less_in_the_mean_than_one_of_them():
    rng = np.random.default_rng(0)
    a, b = (dict(enumerate(rng.random((4, 10_000)) < share)) for share in (0.52, 0.5))
    (made,) = methods({"a": a, "b": b}, family="f")
    of_one = math.sqrt(np.mean([(a[s] != b[s]).sum() for s in range(4)]))
    of_seeds = 10_000 * made.sd / 2
    assert math.hypot(0.45 * of_one, of_seeds) < 10_000 * made.error < math.hypot(0.55 * of_one, of_seeds)


def test_one_image_less_in_one_seed_is_a_spread():
    (verdict,) = methods(
        {"a": counted(10_000, 5100, 5100, 5099), "b": counted(10_000, *[5000] * 3)}, family="f"
    )
    assert verdict.sd == pytest.approx(1e-4 / math.sqrt(3))


def test_one_seed_says_nothing_of_the_methods():
    (verdict,) = methods({"a": counted(100, 90), "b": counted(100, 10)}, family="f")
    assert (verdict.verdict, verdict.seeds, verdict.indicative) == ("not tested", (0,), True)
    assert (verdict.p, verdict.p_holm, verdict.sd, verdict.interval) == (None, None, None, None)
    assert verdict.difference == pytest.approx(0.8)
    assert verdict.says == "a and b are not tested: one seed says nothing of the methods."


def test_no_seed_in_common():
    (verdict,) = methods({"a": {0: result(9, range(9))}, "b": {1: result(9, range(1))}}, family="f")
    assert (verdict.verdict, verdict.seeds, verdict.difference) == ("not tested", (), None)
    assert verdict.says == "a and b are not tested: they have no seed in common."


@pytest.mark.parametrize(
    ("p", "shown"), [(0.0498, "0.0498"), (0.0502, "0.0502"), (0.05, "0.05"), (0.049, "0.049"), (0.2, "0.2")]
)
def test_p_is_shown_on_its_side_of_alpha(p, shown):
    assert on_its_side(p, 0.05) == shown


def test_untested_pairs_are_not_in_the_family():
    one = {0: A[0]}
    verdicts = methods({"a": A, "one": one, "b": B}, family="f")
    assert [(v.a, v.b) for v in verdicts] == [("a", "one"), ("a", "b"), ("one", "b")]
    assert [v.comparisons for v in verdicts] == [1, 1, 1]
    assert verdicts[1].p_holm == verdicts[1].p


@pytest.mark.parametrize("bits", [{}, {"a": A}])
def test_nothing_to_compare(bits):
    assert methods(bits, family="f") == []


def test_different_images_are_refused():
    with pytest.raises(AdvkdError, match="different test images"):
        methods({"a": A, "b": counted(999, 5)}, family="f")


def test_about_is_json():
    (verdict,) = methods({"a": A, "b": B}, family="f")
    about = json.loads(json.dumps(verdict.about))
    assert (about["verdict"], about["indicative"], about["seeds"]) == ("better", False, [0, 1, 2, 3, 4])
    assert about["interval"] == list(verdict.interval)
    assert about["says"] == verdict.says


def test_of_any_bool_array():
    rows = np.array(list(A.values()))
    assert methods({"a": dict(enumerate(rows)), "b": B}, family="f") == methods({"a": A, "b": B}, family="f")
