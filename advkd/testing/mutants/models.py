"""Model sources with one fault each."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from advkd.testing.mutants import planted
from advkd.types import Shape


@dataclass(frozen=True, kw_only=True)
class Source:
    """A source that is all fault."""

    run: Callable[[int, Shape], nn.Module]

    def __call__(self, classes: int, shape: Shape) -> nn.Module:
        """A network."""
        return self.run(classes, shape)


class Linear(nn.Module):
    """A right network; `change` is what a fault does to the pixels on their way."""

    def __init__(
        self, classes: int, shape: Shape, change: Callable[[Any, Tensor], Tensor] | None = None
    ) -> None:
        super().__init__()
        self.layer = nn.Linear(math.prod(shape), classes)
        self.change = change

    def forward(self, x: Tensor) -> Tensor:
        """(B,C,H,W) to (B,N)."""
        logits: Tensor = self.layer((self.change(self, x) if self.change else x).flatten(1))
        return logits


fault = planted("models", Source)


@fault
def answers_with_logits(classes: int, shape: Shape) -> nn.Module:
    """It ends with a softmax."""
    return nn.Sequential(Linear(classes, shape), nn.Softmax(1))


@fault
def takes_each_size_or_says_why(classes: int, shape: Shape) -> nn.Module:
    """It has seven classes, whatever it is asked for."""
    return Linear(7, shape)


@fault
def gradients_reach_everything(classes: int, shape: Shape) -> nn.Module:
    """It holds a layer that nothing goes through."""
    net = Linear(classes, shape)
    net.forgotten = nn.Linear(2, 2)
    return net


@fault
def eval_mode_is_steady(classes: int, shape: Shape) -> nn.Module:
    """It keeps running statistics in eval mode as well."""

    def count(net: Any, x: Tensor) -> Tensor:
        net.seen += len(x)
        return x

    net = Linear(classes, shape, count)
    net.register_buffer("seen", torch.zeros(()))
    return net


@fault
def neighbours_do_not_matter(classes: int, shape: Shape) -> nn.Module:
    """It centres by the batch in eval mode as well."""
    return Linear(classes, shape, lambda _, x: x - x.mean(0))


@fault
@functools.cache
def each_call_makes_a_new_network(classes: int, shape: Shape) -> nn.Module:
    """It hands out the same network again."""
    return Linear(classes, shape)


@fault
def same_seed_same_weights(classes: int, shape: Shape) -> nn.Module:
    """It draws its weights from a generator of its own, seeded by the clock."""
    own, net = torch.Generator(), Linear(classes, shape)
    own.seed()
    net.layer.weight.data.uniform_(-0.1, 0.1, generator=own)
    return net


@fault
def weights_say_it_all(classes: int, shape: Shape) -> nn.Module:
    """It keeps a number that no state holds."""
    factor = 1 + torch.rand(()).item()
    return Linear(classes, shape, lambda _, x: factor * x)


@fault
def can_be_copied(classes: int, shape: Shape) -> nn.Module:
    """A copy of it is another network."""

    class Unique(Linear):
        def __deepcopy__(self, memo: Any) -> nn.Module:
            return Linear(classes, shape)

    return Unique(classes, shape)


@fault
def pixels_not_written(classes: int, shape: Shape) -> nn.Module:
    """It clips pixels where they are."""
    return Linear(classes, shape, lambda _, x: x if x.requires_grad else x.clamp_(0.2, 0.8))
