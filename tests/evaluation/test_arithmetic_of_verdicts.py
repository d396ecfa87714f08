"""Verdicts are given in full float32, and their intervals are those of the textbook."""

from __future__ import annotations

import operator

import pytest
import torch
from scipy.stats import binomtest
from torch import Tensor, nn

from advkd.evaluation import right_of
from advkd.networks.modes import full_float32
from advkd.result import wilson


@pytest.mark.parametrize(("right", "n"), [(0, 50), (50, 50), (31, 77), (1, 1000)])
def test_wilson_is_scipys(right, n):
    wanted = binomtest(right, n).proportion_ci(method="wilson")
    assert wilson(right, n) == pytest.approx((wanted.low, wanted.high), abs=1e-6)


def test_an_interval_holds_its_fraction_to_the_last_digit():
    for n in range(1, 6000):
        assert wilson(0, n)[0] == 0
        assert wilson(n, n)[1] == 1


class Watching(nn.Module):
    """Says whether float32 was float32 when it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.rounded: list[bool] = []

    def forward(self, x: Tensor) -> Tensor:
        self.rounded.append(torch.backends.cudnn.allow_tf32 or torch.backends.cuda.matmul.allow_tf32)
        return torch.full((len(x), 3), float("nan"))


def test_an_answer_that_is_no_number_is_wrong_and_none_is_rounded_to_tf32():
    net, y = Watching(), torch.zeros(4, dtype=torch.long)
    assert torch.backends.cudnn.allow_tf32
    assert not right_of(net, torch.rand(4, 1, 3, 3), y).any()
    assert net.rounded == [False]
    assert torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize("word", ["highest", "high", "medium"])
def test_the_precision_of_products_is_put_back_by_its_word(word):
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision(word)
        with full_float32():
            assert not torch.backends.cuda.matmul.allow_tf32
        assert torch.get_float32_matmul_precision() == word
    finally:
        torch.set_float32_matmul_precision(before)


def test_whoever_uses_older_and_newer_switches_is_measured_in_float32_too():
    backends = torch.backends
    if not hasattr(backends, "fp32_precision"):
        pytest.skip("this torch has the older switches only")
    before = torch.get_float32_matmul_precision(), backends.fp32_precision
    try:
        torch.set_float32_matmul_precision("high")
        backends.fp32_precision = "tf32"
        with full_float32():
            assert backends.cudnn.conv.fp32_precision == "ieee"
            assert backends.cuda.matmul.fp32_precision == "ieee"
        assert backends.fp32_precision == "tf32"
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision(before[0])
        backends.fp32_precision = before[1]


@pytest.mark.parametrize("place", ["cuda.matmul", "cudnn.conv", "mkldnn.matmul"])
def test_whoever_uses_torchs_newer_switches_is_measured_in_float32_too(place):
    switch = operator.attrgetter(place)(torch.backends)
    if not hasattr(switch, "fp32_precision"):
        pytest.skip("this torch has the older switches only")
    before = switch.fp32_precision
    try:
        switch.fp32_precision = "tf32"
        with full_float32():
            assert switch.fp32_precision in ("ieee", "none")
            with full_float32():
                pass
        assert switch.fp32_precision == "tf32"
    finally:
        switch.fp32_precision = before
