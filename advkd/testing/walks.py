"""Attacks at work: what they walk on, the points they yield, what they leave behind."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from advkd.networks.modes import evaluating
from advkd.protocols import Attack, Objective
from advkd.testing.parts import EPS, batch, changed, generator, images, nets, state
from advkd.types import Threat

NORMS = ("linf", "l2")


def norms_of(attack: Any) -> tuple[Any, ...]:
    """The norms an attack walks in: all of them, unless it declares `norms`."""
    return tuple(getattr(attack, "norms", NORMS))


class Loss:
    """Cross-entropy of a network in eval mode: what a training step hands to an attack.

    An attack is to see a function only; `net` is within reach of one that looks for it.
    """

    def __init__(self, net: nn.Module, y: Tensor, fails_at: int = 0) -> None:
        self.net, self.y, self.fails_at, self.calls = net, y, fails_at, 0

    def __call__(self, x: Tensor) -> Tensor:
        """(B,C,H,W) to (B,)."""
        self.calls += 1
        if self.calls == self.fails_at:
            raise RuntimeError("the objective failed")
        with evaluating(self.net):
            return F.cross_entropy(self.net(x), self.y, reduction="none")


def linear(direction: Tensor) -> Objective:
    """The objective (direction * x) summed over each sample; `direction` has a row per sample or one."""
    return lambda x: (x * direction).flatten(1).sum(1)


def curved(x: Tensor) -> Tensor:
    """An objective that bends, so that every step of a walk differs."""
    return (x.sin() * x.roll(1, -1).cos()).flatten(1).sum(1)


def walk(attack: Attack, objective: Objective, x: Tensor, norm: Any = "linf", seed: int = 0) -> list[Tensor]:
    """The points an attack yields, each as it was when it was yielded."""
    points = attack(objective, x.clone(), Threat(norm=norm, eps=EPS), generator(seed))
    return [point.clone() for point in points]


def anywhere(attack: Attack) -> list[tuple[Any, Tensor, list[Tensor]]]:
    """Norm, start and points of a walk in every norm, from grey images and from ones at the box's edge."""
    starts = [images(4, 1, 5, 5), images(4, 1, 5, 5, low=-0.5, high=1.5).clamp(0, 1)]
    return [(norm, x, walk(attack, curved, x, norm)) for norm in norms_of(attack) for x in starts]


def traces(attack: Attack, fails_at: int = 0) -> str:
    """What an attack leaves changed behind it, in words."""
    net, here = nets()["student"], batch()
    for parameter in net.parameters():
        parameter.grad = torch.ones_like(parameter)
    before = state(net)
    try:
        walk(attack, Loss(net, here.y, fails_at), here.x, norms_of(attack)[0])
    except RuntimeError:
        if not fails_at:
            raise
    return changed(before, state(net))


def is_deterministic(attack: Attack) -> bool:
    """Whether another generator leads to the same path."""
    x, norm = images(2, 1, 4, 4), norms_of(attack)[0]
    one, two = (walk(attack, curved, x, norm, seed) for seed in (0, 1))
    return all(map(torch.equal, one, two))
