"""The point an evaluator ends with, and what it costs at most."""

from __future__ import annotations

import pytest
import torch
from parts import undecided

from advkd.cost import Cost
from advkd.evaluators.gradient import CWLinf, PGDEvaluator
from advkd.evaluators.strongest import strongest
from advkd.modes import logits_of
from advkd.registry import load
from advkd.types import Batch, Threat


@pytest.fixture
def batch(net):
    x = torch.rand(60, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    undecided(net, x)
    return Batch(x, logits_of(net, x).argmax(1))


def test_a_restart_never_takes_back_a_higher_loss(net, batch):
    threat, margin = Threat(eps=0.01), load("losses", "margin")()
    attack = load("attacks", "pgd")(steps=2)

    def reached(restarts: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(3)
        x = strongest(net, batch, attack, margin, threat, generator, restarts)
        return margin(logits_of(net, x), batch.y)

    once, often = reached(1), reached(6)
    assert (once < 0).sum() > 20
    assert (often >= once)[once < 0].all()
    assert (often > once).any()


@pytest.mark.parametrize(("kind", "restarts"), [(PGDEvaluator, 1), (PGDEvaluator, 3), (CWLinf, 2)])
def test_an_image_that_stands_costs_what_is_declared(kind, restarts, net, batch):
    evaluator, cost = kind(steps=4, restarts=restarts), Cost({"net": net})
    with cost.counting():
        evaluator(net, batch, Threat(eps=1e-6), torch.Generator())
    counted = cost.passes["net_forwards"] / len(batch.y), cost.passes["net_backwards"] / len(batch.y)
    assert counted == evaluator.passes(5)
