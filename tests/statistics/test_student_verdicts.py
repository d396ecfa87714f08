"""Exact McNemar per seed."""

from __future__ import annotations

import json
from math import comb

import numpy as np
import pytest
from made import counted, result

from advkd.errors import AdvkdError
from advkd.statistics.students import students


def binomial(only_a: int, only_b: int) -> float:
    """Two-sided sign test of the discordant images, as a sum of binomial coefficients."""
    total, least = only_a + only_b, min(only_a, only_b)
    return min(1.0, 2 * sum(comb(total, k) for k in range(least + 1)) / 2**total)


@pytest.mark.parametrize(("only_a", "only_b"), [(9, 1), (1, 9), (3, 3), (0, 6), (0, 5), (0, 0), (60, 40)])
def test_p_is_the_binomial_of_the_discordant_images(only_a, only_b):
    a, b = result(200, range(50 + only_a)), result(200, range(50))
    b[150 : 150 + only_b] = True
    (verdict,) = students({"a": {3: a}, "b": {3: b}}, family="f")
    assert (verdict.only_a, verdict.only_b, verdict.n, verdict.seed) == (only_a, only_b, 200, 3)
    assert verdict.p == pytest.approx(binomial(only_a, only_b), rel=1e-12)
    assert verdict.p_holm == verdict.p
    assert verdict.difference == (only_a - only_b) / 200


def test_words_and_sentence():
    bits = {"ours": {0: result(100, range(60))}, "theirs": {0: result(100, range(40, 50))}}
    (better,) = students(bits, family="f")
    assert better.verdict == "better"
    assert better.says == (
        "Seed 0: ours is better than theirs: of 100 images ours alone gets 50 right and theirs alone 0 "
        "(p < 0.0001)."
    )
    (worse,) = students(dict(reversed(bits.items())), family="f")
    assert (worse.verdict, worse.difference, worse.p) == ("worse", -better.difference, better.p)


def test_identical_sets_are_not_distinguishable():
    same = counted(50, 30, 20)
    verdicts = students({"a": same, "b": same}, family="f")
    assert [(v.verdict, v.p, v.p_holm, v.only_a) for v in verdicts] == [("not distinguishable", 1, 1, 0)] * 2
    assert "a and b are not distinguishable" in verdicts[0].says


def test_family_is_every_pair_at_every_shared_seed_in_order():
    bits = {
        "b": counted(40, 30, 20),
        "a": counted(40, 22),
        "c": dict(reversed(counted(40, 30, 30, 1).items())),
    }
    verdicts = students(bits, family="robust accuracy")
    assert [(v.a, v.b, v.seed) for v in verdicts] == [
        ("b", "a", 0),
        ("b", "c", 0),
        ("b", "c", 1),
        ("a", "c", 0),
    ]
    assert {v.family for v in verdicts} == {"robust accuracy"}
    assert {v.comparisons for v in verdicts} == {4}
    # 8 images one way are p = 2/256 in two tests, 10 are 2/1024 in one, none is 1
    assert [v.p_holm for v in verdicts] == pytest.approx([3 * 2 / 256, 1, 4 * 2 / 1024, 3 * 2 / 256])


def test_holm_may_take_a_verdict_back():
    one = {"a": counted(40, 6), "b": counted(40, 0)}
    assert students(one, family="f")[0].verdict == "better"
    two = {"a": counted(40, 6, 6), "b": counted(40, 0, 0)}
    assert [v.verdict for v in students(two, family="f")] == ["not distinguishable"] * 2
    assert "Holm-corrected for 2 comparisons" in students(two, family="f")[0].says


@pytest.mark.parametrize("bits", [{}, {"a": counted(9, 3)}, {"a": {0: result(9, range(2))}, "b": {}}])
def test_nothing_to_compare(bits):
    assert students(bits, family="f") == []


def test_no_seed_in_common_leaves_the_other_pairs():
    right = result(9, range(2))
    bits = {"a": {0: right}, "b": {1: right}, "c": {0: right, 1: right}}
    assert [(v.a, v.b, v.seed) for v in students(bits, family="f")] == [("a", "c", 0), ("b", "c", 1)]


def test_different_images_are_refused():
    bits = {"a": counted(10, 3, 3), "b": {0: result(12, range(3))}}
    with pytest.raises(AdvkdError) as caught:
        students(bits, family="f")
    assert str(caught.value) == (
        "compare: results from different test images\n"
        "  given    10 images (a, seed 0) and 12 (b, seed 0)\n"
        "  do       evaluate both on the same test images"
    )


@pytest.mark.parametrize(
    "row", [np.array([1.0, np.nan]), np.array([1, 0]), np.zeros((2, 2), bool), np.zeros(0, bool)]
)
def test_what_is_no_bit_per_image_is_refused(row):
    with pytest.raises(AdvkdError, match="b, seed 1: must hold one bool"):
        students({"a": counted(2, 1), "b": {1: row}}, family="f")


def test_about_is_json():
    (verdict,) = students({"a": counted(40, 9), "b": counted(40, 0)}, family="f")
    about = json.loads(json.dumps(verdict.about))
    assert about["verdict"] == "better"
    assert about["says"] == verdict.says
    assert about["family"] == "f"
    assert (about["seed"], about["only_a"], about["only_b"]) == (0, 9, 0)
