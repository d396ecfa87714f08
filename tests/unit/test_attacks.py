"""Attacks reach what can be computed in closed form."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from advkd import AdvkdError
from advkd.attacks.apgd import APGD, checkpoints
from advkd.attacks.pgd import FGSM, PGD
from advkd.types import Threat

ATTACKS = {
    "fgsm": FGSM(),
    "pgd none": PGD(steps=90, init="none"),
    "pgd uniform": PGD(steps=90, init="uniform"),
    "pgd gaussian": PGD(steps=90, init="gaussian", init_scale=0.01),
    "apgd": APGD(steps=30),
}


def images(size: int, low: float, high: float) -> Tensor:
    x = torch.rand(size, 1, 4, 4, generator=torch.Generator().manual_seed(size), dtype=torch.float64)
    return low + (high - low) * x


def end_of(attack, objective, x, threat, seed=0) -> Tensor:
    *_, last = attack(objective, x, threat, torch.Generator().manual_seed(seed))
    return last


def linear() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(7)
        return nn.Sequential(nn.Flatten(), nn.Linear(16, 2)).double()


@pytest.mark.parametrize("size", [1, 3, 8])
@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("name", ATTACKS)
def test_reaches_the_optimum_of_a_linear_model(name, norm, size):
    net, x = linear(), images(size, 0.3, 0.7)
    y = torch.arange(size) % 2
    threat = Threat(norm=norm, eps=0.1)
    end = end_of(ATTACKS[name], lambda at: F.cross_entropy(net(at), y, reduction="none"), x, threat)
    away = (net[1].weight[1] - net[1].weight[0]).view(1, 1, 4, 4) * (1 - 2 * y).view(-1, 1, 1, 1)
    move = away.sign() if norm == "linf" else away / away.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    torch.testing.assert_close(end, x + 0.1 * move, rtol=0, atol=1e-6 if norm == "l2" else 1e-9)


@pytest.mark.parametrize("name", ATTACKS)
def test_reaches_the_corner_at_the_edge_of_the_box(name):
    x = (images(5, -0.5, 1.5)).clamp(0, 1)
    w = torch.randn(1, 1, 4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    end = end_of(ATTACKS[name], lambda at: (at * w).sum((1, 2, 3)), x, Threat(eps=0.1))
    torch.testing.assert_close(end, (x + 0.1 * w.sign()).clamp(0, 1), rtol=0, atol=1e-9)


@pytest.mark.parametrize("size", [1e-19, 1e-23, 1e-37, 1e30])
def test_a_step_in_l2_has_its_length_however_small_the_gradient(size):
    x = images(2, 0.4, 0.6).float()
    w = torch.randn(1, 1, 4, 4, generator=torch.Generator().manual_seed(1)) * size
    attack = PGD(steps=1, step_size="1/8 eps", init="none")
    end = end_of(attack, lambda at: (at * w).sum((1, 2, 3)), x, Threat(norm="l2", eps=0.4))
    torch.testing.assert_close((end - x).flatten(1).norm(dim=1), torch.full((2,), 0.05))


@pytest.mark.parametrize("name", ["pgd none", "pgd gaussian", "apgd"])
def test_pixels_at_the_edge_of_the_box_keep_their_gradient(name):
    """An attack that differentiates through a clamp would leave a black image where it is."""
    x = torch.zeros(2, 1, 4, 4, dtype=torch.float64)
    end = end_of(ATTACKS[name], lambda at: at.sum((1, 2, 3)), x, Threat(eps=0.1))
    torch.testing.assert_close(end, x + 0.1, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ["pgd uniform", "pgd gaussian", "apgd"])
def test_noise_comes_from_the_generator_alone(name):
    x = images(3, 0, 1)

    def objective(at: Tensor) -> Tensor:
        return at.pow(3).sum((1, 2, 3)) - (at * x).sum((1, 2, 3))

    one, two = (
        list(ATTACKS[name](objective, x, Threat(eps=0.1), torch.Generator().manual_seed(4))) for _ in "ab"
    )
    other = list(ATTACKS[name](objective, x, Threat(eps=0.1), torch.Generator().manual_seed(5)))
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert not torch.equal(one[1], other[1])


def test_a_zero_gradient_moves_nothing():
    x = images(2, 0.3, 0.7)
    for norm in ("linf", "l2"):
        end = end_of(PGD(init="none"), lambda at: at.sum((1, 2, 3)) * 0, x, Threat(norm=norm, eps=0.1))
        assert torch.equal(end, x)


def test_checkpoints_are_the_papers():
    assert sorted(checkpoints(100)) == [22, 41, 57, 70, 80, 87, 93, 99]


def test_apgd_halves_its_step_and_closes_in():
    x = torch.full((1, 1, 4, 4), 0.5, dtype=torch.float64)
    top = x + 0.037

    def bowl(at: Tensor) -> Tensor:
        return -(at - top).square().sum((1, 2, 3))

    threat = Threat(eps=0.1)
    # in linf every step of a fixed length jumps over the top for ever
    fixed = end_of(PGD(steps=100, step_size="2 eps", init="none"), bowl, x, threat)
    found = end_of(APGD(steps=100, init="none"), bowl, x, threat)
    assert (found - top).abs().max() < 0.01 < (fixed - top).abs().max()


def test_no_steps_is_refused():
    for cls in (PGD, APGD):
        with pytest.raises(AdvkdError, match="at least one step"):
            cls(steps=0)


def algorithm_1(objective, start: Tensor, eps: float, steps: int) -> list[Tensor]:
    """Auto-PGD in linf for one image, written from the paper line by line."""

    def asked(x: Tensor) -> tuple[float, Tensor]:
        leaf = x.clone().requires_grad_()
        value = objective(leaf)
        (gradient,) = torch.autograd.grad(value.sum(), leaf)
        return value.item(), gradient

    def into_ball(x: Tensor) -> Tensor:
        return x.clamp(start - eps, start + eps).clamp(0, 1)

    size, before, x, points = 2 * eps, start, start, [start]
    value, gradient = asked(x)
    highest, at_highest, there = value, x, gradient
    rises, since, halved, highest_then = 0, 0, False, value
    for k in range(1, steps + 1):
        ahead = into_ball(x + size * gradient.sign())
        moved = ahead if k == 1 else into_ball(x + 0.75 * (ahead - x) + 0.25 * (x - before))
        before, x = x, moved
        points.append(x)
        last = value
        value, gradient = asked(x)
        rises, since = rises + (value > last), since + 1
        if value > highest:
            highest, at_highest, there = value, x, gradient
        if k in checkpoints(steps):
            halved = rises < 0.75 * since or (not halved and highest <= highest_then)
            if halved:
                size, x, value, gradient = size / 2, at_highest, highest, there
            rises, since, highest_then = 0, 0, highest
    return points


def test_apgd_is_algorithm_1():
    net = linear()
    threat = Threat(eps=0.2)
    for size in range(1, 9):
        x = images(size, 0, 1)[:1]

        def waves(at: Tensor) -> Tensor:
            return torch.sin(20 * net(at)[:, 0]) + net(at)[:, 1]

        found = list(APGD(steps=40, init="none")(waves, x, threat, torch.Generator()))
        for one, other in zip(found, algorithm_1(waves, x, 0.2, 40), strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=1e-9)
