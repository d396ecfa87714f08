"""Networks whose logits saturate or are coarse: what attacks must find all the same, or say."""

from __future__ import annotations

import pytest
import torch
from pyautoattack.square import SquareAttack
from torch import Tensor, nn

import advkd
from advkd.auditing import selftest
from advkd.auditing.case import planned
from advkd.auditing.doubt import losses_disagree
from advkd.auditing.ledger import LedgerEntry
from advkd.data.images import Images
from advkd.evaluators.autoattack import AutoAttackFast
from advkd.evaluators.official import Square
from advkd.types import Batch, Threat


def test_the_curve_leaps_to_where_anything_may_be_drawn(digits):
    # of two classes the commoner is nine tenths, and saturated logits hide from PGD what lies behind them
    images = Images(digits.x, (digits.y == 0).long())
    net = Two(selftest.shipped("plain").net)
    verdict = advkd.audit(net, images, Threat(eps=0.1), evaluators={"fgsm": "fgsm"}, curves={"images": 60})
    values = [point.value for point in verdict.points if point.axis == "eps"]
    assert values[-1] == 1
    assert len(values) < 10
    assert "any-image" in [flag.name for flag in verdict.flags]


class Two(nn.Module):
    """Whether it is a zero, by logits that saturate."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        logits = self.net(x)
        zero = (logits[:, 0] - logits[:, 1:].amax(1))[:, None]
        return torch.tanh(torch.cat([-zero, zero], 1))


class Squashed(nn.Module):
    """The same answers by logits that saturate, so that cross-entropy has no gradient."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        return 5 * torch.tanh(self.net(x))


@pytest.mark.parametrize("saturated", [True, False])
def test_a_loss_that_saturated_logits_hide_examples_from(saturated, plain, digits):
    net = Squashed(plain) if saturated else plain
    verdict = advkd.audit(net, digits, Threat(eps=0.1), suite="compare", curves={"images": 0})
    assert [flag.name for flag in verdict.flags] == ["losses-disagree"] * saturated


@pytest.mark.parametrize(
    ("wrong", "left", "found", "stands"),
    # images wrong when clean, broken by the first attack, then by the second; whether it is told
    [(0, 20, 30, True), (0, 20, 19, False), (0, 85, 4, False), (10, 60, 29, False), (10, 50, 25, True)],
)
def test_how_much_another_loss_may_break(wrong, left, found, stands):
    order = torch.arange(100)
    entries = {}
    for name, begin, broken in (
        ("clean", 0, wrong),
        ("pgd-20", wrong, left),
        ("cw-linf", wrong + left, found),
    ):
        tried = order >= begin
        entries[name] = LedgerEntry(tried, tried & (order >= begin + broken), torch.zeros(100), done=True)
    suite = planned("compare", {})[0].evaluators
    assert (losses_disagree(entries, suite) is not None) == stands


class Coarse(nn.Module):
    """Two logits that are often equal: there the first is answered still."""

    def forward(self, x: Tensor) -> Tensor:
        dark = (30 * (0.5 - x.flatten(1).mean(1))).round()
        return torch.stack([dark, torch.zeros_like(dark)], 1)


@pytest.mark.parametrize(("attack", "queries"), [(Square(queries=300), 300), (AutoAttackFast(), 5000)])
def test_square_goes_on_where_logits_are_equal(attack, queries):
    x = 0.35 + 0.1 * torch.rand(100, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    batch, net, threat = Batch(x, torch.zeros(100, dtype=torch.long)), Coarse(), Threat(eps=0.25)
    assert (net(x).argmax(1) == 0).all()
    official = SquareAttack(net, norm="Linf", eps=0.25, n_queries=queries, seed=0, resc_schedule=False)
    found = attack(net, batch, threat, torch.Generator().manual_seed(0)).x
    fallen, official = ((net(at).argmax(1) == 1).sum() for at in (found, official.perturb(x, batch.y)))
    assert fallen >= official + 5
