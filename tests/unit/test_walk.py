"""Answers along a path belong to the points of the path, whatever an attack does to its own tensors."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from advkd.walk import Recorder, value_and_gradient, walked


def tidy(ask, x):
    for _ in range(3):
        yield x
        ask(x)
        x = x + 1


def writes_after_asking(ask, x):
    x = x.clone()
    for _ in range(3):
        yield x
        ask(x)
        x += 1


def writes_before_asking(ask, x):
    x = x.clone()
    for _ in range(3):
        yield x
        x += 1
        ask(x)


def asks_copies(ask, x):
    for _ in range(3):
        yield x
        ask(x.clone())
        x = x + 1


@pytest.mark.parametrize("attack", [tidy, writes_after_asking, writes_before_asking, asks_copies])
def test_a_kept_answer_is_what_the_network_says_of_that_point(attack):
    net = nn.Flatten()
    recorder = Recorder(net)
    path = walked(attack(recorder, torch.rand(2, 1, 3, 3)), recorder, torch.zeros(2), None)
    assert len(path) == 3
    for k, logits in path.logits.items():
        assert torch.equal(logits, net(path.x[k]))


@pytest.mark.parametrize("attack", [tidy, asks_copies])
def test_the_answers_of_an_attack_that_writes_nothing_are_kept(attack):
    recorder = Recorder(nn.Flatten())
    path = walked(attack(recorder, torch.rand(2, 1, 3, 3)), recorder, torch.zeros(2), None)
    assert sorted(path.logits) == [1, 2]


def test_the_gradient_of_an_image_is_its_own_however_large_the_batch():
    # a mean over the batch would shrink it, below what half precision holds
    x, weights = torch.rand(128, 4), torch.rand(4)
    _, together = value_and_gradient(lambda at: (at * weights).sum(1), x)
    _, alone = value_and_gradient(lambda at: (at * weights).sum(1), x[:1])
    assert torch.equal(together[:1], alone)
