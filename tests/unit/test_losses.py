"""Losses against their formulas."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from advkd import AdvkdError
from advkd.losses.divergence import KL, Squared
from advkd.losses.label import CE, Margin

Z = torch.tensor([[2.0, -1.0, 0.5], [-5.0, -1.0, -3.0]], dtype=torch.float64)
A = torch.tensor([[0.0, 1.0, 0.5], [1.0, -1.0, 2.0]], dtype=torch.float64)
Y = torch.tensor([0, 1])


def test_cross_entropy():
    p = Z.exp() / Z.exp().sum(1, keepdim=True)
    assert_close(CE()(Z, Y), -p[[0, 1], Y].log())


def test_margin_also_where_all_logits_are_negative():
    assert_close(Margin()(Z, Y), torch.tensor([0.5 - 2.0, -3.0 - -1.0], dtype=torch.float64))
    z = Z.clone().requires_grad_()
    Margin()(z, Y).sum().backward()
    assert_close(z.grad, torch.tensor([[-1.0, 0, 1], [0, -1, 1]], dtype=torch.float64))


@pytest.mark.parametrize("t", [1, 4])
def test_kl_goes_from_the_target_to_the_logits(t):
    p, q = (A / t).softmax(1), (Z / t).softmax(1)
    assert_close(KL(temperature=t)(Z, A), t * t * (p * (p / q).log()).sum(1))
    assert (KL()(Z, A) - KL()(A, Z)).abs().max() > 1e-3


def test_kl_per_class_divides_by_the_classes():
    assert_close(KL(per_class=True)(Z, A) * 3, KL()(Z, A))


def test_kl_gradients_keep_their_size_over_temperatures():
    def size(t: float) -> float:
        z = (Z * 0.01).requires_grad_()
        KL(temperature=t)(z, A * 0.01).sum().backward()
        return z.grad.norm().item()

    assert size(20) == pytest.approx(size(1), rel=0.02)


def test_squared_distance_of_probabilities():
    assert_close(Squared()(Z, A), ((Z.softmax(1) - A.softmax(1)) ** 2).sum(1))


def test_temperature_must_be_positive():
    with pytest.raises(AdvkdError, match="must be positive"):
        KL(temperature=0)
