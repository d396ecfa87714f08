"""The point an evaluator ends with, and what it costs at most."""

from __future__ import annotations

import pytest
import torch
from parts import small_net, undecided
from torch.utils.data import TensorDataset

import advkd
from advkd.evaluators.gradient import CWLinf, PGDEvaluator
from advkd.evaluators.official import APGDCE, APGDT, FABT, Square
from advkd.evaluators.strongest import strongest
from advkd.networks.cost import Cost
from advkd.networks.modes import logits_of
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


@pytest.mark.parametrize(
    ("kind", "declared"),
    [
        (PGDEvaluator, (111, 100)),
        (CWLinf, (33, 30)),
        (APGDCE, (102, 101)),
        (APGDT, (410, 404)),
        (FABT, (816, 400)),
        (Square, (5003, 0)),
    ],
)
def test_at_its_defaults_an_attack_is_as_strong_as_its_source_says(kind, declared):
    evaluator, net = kind(), small_net(4, seed=1).float().eval()
    x = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    here, cost = Batch(x, net(x).argmax(1)), Cost({"net": net})
    with cost.counting():
        evaluator(net, here, Threat(eps=1e-6), torch.Generator())
    forwards, backwards = (cost.passes[f"net_{way}"] / len(x) for way in ("forwards", "backwards"))
    assert evaluator.passes(5) == declared
    assert backwards == declared[1]
    assert 0.95 * declared[0] <= forwards <= declared[0]


def test_cw_linf_climbs_the_margin(net, batch):
    threat, evaluator = Threat(eps=0.01), CWLinf(restarts=2)
    ends = {
        name: strongest(
            net,
            batch,
            load("attacks", "pgd")(steps=30),
            load("losses", name)(),
            threat,
            torch.Generator().manual_seed(3),
            2,
        )
        for name in ("margin", "ce")
    }
    mine = evaluator(net, batch, threat, torch.Generator().manual_seed(3)).x
    assert torch.equal(mine, ends["margin"])
    assert not torch.equal(mine, ends["ce"])


class Wide(torch.nn.Module):
    """Answers in another precision."""

    def __init__(self, net: torch.nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.net, self.dtype = net, dtype

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x).to(self.dtype)


def test_a_network_that_answers_in_float64_is_attacked_all_the_same(net, batch):
    evaluator, threat = PGDEvaluator(steps=4), Threat(eps=0.05)
    single, double = (
        logits_of(net, evaluator(judged, batch, threat, torch.Generator().manual_seed(0)).x).argmax(1)
        for judged in (net, Wide(net, torch.float64))
    )
    assert (double != batch.y).any()
    assert (single != double).double().mean() <= 0.1


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_every_evaluator_is_answered_in_float32(dtype, net, batch):
    few = {
        "apgd-ce": {"steps": 5},
        "fab-t": {"steps": 5},
        "square": {"queries": 30},
        "kl-teacher": {"steps": 3},
    }
    data = TensorDataset(batch.x[:20], batch.y[:20])
    options = {"evaluators": {name: {"use": name, **rest} for name, rest in few.items()}, "cascade": False}
    nets = {"teacher": Wide(small_net(6, seed=5).float(), torch.float64)}
    verdict = advkd.audit(
        Wide(net, dtype), data, Threat(eps=0.05), nets=nets, curves={"images": 0}, **options
    )
    assert all(verdict.main.entries[name].broken.any() for name in few)
    attacks = {name: load("evaluators", name)(**few[name]) for name in ("fab-t", "square")}
    assert advkd.evaluate(Wide(net, dtype), data, Threat(eps=0.05), attacks).robust < 1
