"""Averages against their closed forms."""

from __future__ import annotations

import copy

import pytest
import torch
from parts import small_net
from torch import nn
from torch.testing import assert_close
from trained import state

from advkd import AdvkdError
from advkd.modifiers.average import EMA, SWA
from advkd.networks.modes import batch_norms


def gone_through(net: nn.Module, states: int) -> list[dict[str, torch.Tensor]]:
    """States of `net` with other weights and statistics each."""
    random = torch.Generator().manual_seed(0)
    found = []
    for count in range(states):
        filled = {}
        for name, value in net.state_dict().items():
            drawn = torch.rand(value.shape, generator=random, dtype=torch.float64)
            filled[name] = drawn if value.is_floating_point() else torch.tensor(count)
        found.append(filled)
    return found


@pytest.mark.parametrize("decay", [0.999, 0.3, 0.0])
def test_ema_is_the_closed_form(decay):
    net = small_net(4, seed=1)
    ema = EMA(decay=decay)
    ema.build(net)
    assert ema.weights() is None
    states = gone_through(net, 6)
    for one in states:
        net.load_state_dict(one)
        ema.after_step(net, None)
    decays = [0.0, *(min(decay, (1 + n) / (10 + n)) for n in range(1, 6))]
    # the share of step i is what it came in with, times all decays after it
    shares = [(1 - decays[i]) * torch.tensor(decays[i + 1 :], dtype=torch.float64).prod() for i in range(6)]
    assert sum(shares) == pytest.approx(1.0)
    offered = ema.weights()
    assert offered.keys() == net.state_dict().keys()
    for name, value in offered.items():
        if value.is_floating_point():
            wanted = sum(share * one[name] for share, one in zip(shares, states, strict=True))
            assert_close(value, wanted, rtol=0, atol=1e-12)
    assert decay > 0 or torch.equal(offered["0.weight"], states[-1]["0.weight"])


def batches() -> list[torch.Tensor]:
    random = torch.Generator().manual_seed(1)
    return [torch.rand(8, 1, 6, 6, generator=random, dtype=torch.float64) for _ in range(3)]


def test_swa_is_the_mean_of_epochs_with_statistics_of_its_own():
    net = small_net(4, seed=1).train()
    swa = SWA(since=0.5, statistics="clean")
    swa.build(net)
    states, images = gone_through(net, 6), batches()
    for epoch, one in enumerate(states):
        net.load_state_dict(one)
        swa.epoch_end(net, lambda: iter(images), (epoch + 1) / 6)
        # at the half itself it has not begun
        assert (swa.weights() is None) == (epoch < 3)
    offered = swa.weights()
    for name, _ in net.named_parameters():
        assert_close(offered[name], sum(one[name] for one in states[3:]) / 3, rtol=0, atol=1e-12)
    before_norm = [nn.functional.conv2d(x, offered["0.weight"], offered["0.bias"], padding=1) for x in images]
    means = torch.stack([h.mean((0, 2, 3)) for h in before_norm])
    variances = torch.stack([h.var((0, 2, 3)) for h in before_norm])
    assert_close(offered["1.running_mean"], means.mean(0), rtol=0, atol=1e-12)
    assert_close(offered["1.running_var"], variances.mean(0), rtol=0, atol=1e-12)
    assert all(torch.equal(value, states[-1][name]) for name, value in net.state_dict().items())
    assert batch_norms(net)[0].momentum == 0.1
    assert net.training


def test_swa_averages_the_statistics_of_epochs_like_their_weights():
    net = small_net(4, seed=1).train()
    swa = SWA(since=0.5)
    swa.build(net)
    states = gone_through(net, 6)
    for epoch, one in enumerate(states):
        net.load_state_dict(one)
        swa.epoch_end(net, batches, (epoch + 1) / 6)
    offered = swa.weights()
    for name in ("0.weight", "1.running_mean", "1.running_var"):
        assert_close(offered[name], sum(one[name] for one in states[3:]) / 3, rtol=0, atol=1e-12)


@pytest.mark.parametrize("since", [0.0, 0.3, 0.75, 0.99])
@pytest.mark.parametrize("epochs", [1, 3, 10])
def test_swa_counts_the_last_epoch_always(since, epochs):
    net = small_net(4, norm=False)
    swa = SWA(since=since)
    swa.build(net)
    for epoch in range(epochs):
        swa.epoch_end(net, batches, (epoch + 1) / epochs)
    wanted = sum((epoch + 1) / epochs > since for epoch in range(epochs))
    assert swa.average.n_averaged == wanted > 0
    assert torch.allclose(swa.weights()["0.weight"], net[0].weight)


@pytest.mark.parametrize("make", [lambda: EMA(decay=0.9), lambda: SWA(since=0.0)], ids=["ema", "swa"])
def test_a_saved_average_goes_on_to_the_same_bits(make):
    net = small_net(4, seed=1)
    whole, second = make(), make()
    whole.build(net)
    second.build(net)
    states = gone_through(net, 5)
    for index, one in enumerate(states):
        if index == 3:
            second.modules()["average"].load_state_dict(state(whole.modules()["average"]))
        net.load_state_dict(one)
        for member in (whole, second):
            for hook, args in (("after_step", (None,)), ("epoch_end", (batches, 1.0))):
                if hasattr(member, hook):
                    getattr(member, hook)(net, *args)
    one, two = whole.weights(), second.weights()
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_copy_has_an_average_of_its_own():
    option = EMA()
    copies = [copy.deepcopy(option) for _ in range(2)]
    for one in copies:
        one.build(small_net())
    assert copies[0].average is not copies[1].average
    assert option.modules() == {}


@pytest.mark.parametrize(
    ("make", "place"),
    [
        (lambda: EMA(decay=1.0), "decay"),
        (lambda: EMA(decay=-0.1), "decay"),
        (lambda: SWA(since=1.0), "since"),
        (lambda: SWA(since=-0.1), "since"),
    ],
)
def test_options_out_of_range_are_errors(make, place):
    with pytest.raises(AdvkdError, match=place):
        make()
