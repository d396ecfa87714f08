"""Threat: the ball, the box, and the length of a step."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from advkd import AdvkdError
from advkd.types import Threat


@pytest.mark.parametrize(
    ("size", "length"), [(0.05, 0.05), ("2/255", 2 / 255), ("1/4 eps", 0.05), ("eps", 0.2), ("2 eps", 0.4)]
)
def test_a_step_is_absolute_or_relative(size, length):
    assert Threat(eps=0.2).step(size) == pytest.approx(length)


@pytest.mark.parametrize("size", [0.5, "3 eps", -0.1, "1/2"])
def test_a_step_above_two_eps_is_refused(size):
    with pytest.raises(AdvkdError, match="may be swapped"):
        Threat(eps=0.2).step(size)


@pytest.mark.parametrize("size", ["quarter", "x eps", "1/0"])
def test_a_step_that_is_no_length_is_refused(size):
    with pytest.raises(AdvkdError, match="not a length"):
        Threat(eps=0.2).step(size)


def test_eps_of_an_eight_bit_image_is_suggested():
    with pytest.raises(AdvkdError, match="write 8/255"):
        Threat(eps=8)


def test_numbers_of_numpy_and_torch_are_plain_ones_inside():
    for eps in (np.float32(0.25), torch.tensor(0.25)):
        threat = Threat(eps=eps, box=(np.float32(0), 1))
        assert json.loads(json.dumps(vars(threat))) == {"norm": "linf", "eps": 0.25, "box": [0.0, 1.0]}


def test_eps_and_box_are_checked():
    with pytest.raises(AdvkdError, match="not be negative"):
        Threat(eps=-0.1)
    with pytest.raises(AdvkdError, match=r"threat\.box"):
        Threat(eps=0.1, box=(1, 0))


@pytest.mark.parametrize(
    ("norm", "eps", "text"), [("linf", 8 / 255, "linf eps 8/255"), ("l2", 0.5, "l2 eps 0.5")]
)
def test_reads_as_it_is_written(norm, eps, text):
    assert str(Threat(norm=norm, eps=eps)) == text


def test_distances():
    x, start = torch.tensor([[[[0.3, 0.0]]]]), torch.tensor([[[[0.0, 0.4]]]])
    assert Threat(eps=0.1).distance(x, start).item() == pytest.approx(0.4)
    assert Threat(norm="l2", eps=0.1).distance(x, start).item() == pytest.approx(0.5)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_random_starts_fill_the_ball(norm):
    threat = Threat(norm=norm, eps=0.1)
    start = torch.full((4000, 1, 1, 2), 0.5, dtype=torch.float64)
    distance = threat.distance(threat.random_start(start, torch.Generator().manual_seed(0)), start)
    assert distance.max() <= 0.1 + 1e-12
    # in two dimensions, uniform: a quarter of them lie within half the radius, in either norm
    assert (distance < 0.05).double().mean().item() == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_distance_may_show_rounding_and_no_more(norm):
    threat, start = Threat(norm=norm, eps=8 / 255), torch.full((1, 3, 4, 4), 0.5)
    length = 1 if norm == "linf" else start[0].numel() ** 0.5
    for beyond, holds in ((1e-7, True), (1e-4, False), (-1e-4, True)):
        x = start + (threat.eps + beyond) / length
        assert threat.holds(x, start).item() == holds
