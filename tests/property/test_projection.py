"""Projection into ball and box."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from advkd.types import Threat

EPS = st.floats(0.01, 0.9)
SEEDS = st.integers(0, 10_000)


def points(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    start = torch.rand(5, 1, 3, 3, generator=generator, dtype=torch.float64)
    return start, start + torch.randn(start.shape, generator=generator, dtype=torch.float64)


@given(SEEDS, EPS, st.sampled_from(["linf", "l2"]))
def test_inside_and_idempotent(seed, eps, norm):
    threat = Threat(norm=norm, eps=eps)
    start, x = points(seed)
    once = threat.project(x, start)
    assert (threat.distance(once, start) <= eps + 1e-12).all()
    assert once.min() >= 0
    assert once.max() <= 1
    torch.testing.assert_close(threat.project(once, start), once, rtol=0, atol=1e-12)


@given(SEEDS, EPS)
def test_linf_gives_the_nearest_point(seed, eps):
    start, x = points(seed)
    low, high = (start - eps).clamp_min(0), (start + eps).clamp_max(1)
    torch.testing.assert_close(Threat(eps=eps).project(x, start), x.clamp(low, high), rtol=0, atol=0)


@given(SEEDS, EPS)
def test_l2_ball_gives_the_nearest_point(seed, eps):
    start, x = points(seed)
    threat = Threat(norm="l2", eps=eps, box=(-10, 10))
    delta = x - start
    length = delta.flatten(1).norm(dim=1)[:, None, None, None]
    wanted = torch.where(length > eps, start + eps * delta / length, x)
    torch.testing.assert_close(threat.project(x, start), wanted, rtol=0, atol=1e-12)


@given(SEEDS, EPS, st.sampled_from(["linf", "l2"]))
def test_inside_points_stay(seed, eps, norm):
    threat = Threat(norm=norm, eps=eps)
    start, _ = points(seed)
    inside = threat.random_start(start, torch.Generator().manual_seed(seed))
    torch.testing.assert_close(threat.project(inside, start), inside, rtol=0, atol=1e-12)
