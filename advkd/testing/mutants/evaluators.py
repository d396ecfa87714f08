"""Evaluators with one fault each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from advkd.outcome import Outcome
from advkd.protocols import Memo, Passes
from advkd.registry import load
from advkd.testing.mutants import plant, planted
from advkd.types import Batch, Threat


@dataclass(frozen=True, kw_only=True)
class Evaluator:
    """One right step, but for what `run` does around it."""

    run: Callable[..., Outcome]
    kind: str = "fixed-budget"
    knowledge: str = "white-box"
    cost: Passes = (3, 1)

    def passes(self, classes: int) -> Passes:
        """Forward and backward passes an image costs at most."""
        return self.cost

    def __call__(self, net: nn.Module, batch: Batch, threat: Threat, generator: torch.Generator) -> Outcome:
        """The attacked images."""
        return self.run(net, batch, threat, generator)


def right(net: nn.Module, batch: Batch, threat: Threat, generator: torch.Generator) -> Outcome:
    """What a conforming evaluator returns."""
    outcome: Outcome = load("evaluators", "fgsm")()(net, batch, threat, generator)
    return outcome


fault = planted("evaluators", Evaluator)


@fault
def keeps_shape_and_dtype(net: nn.Module, *more: Any) -> Outcome:
    """Its images ask for a gradient."""
    return Outcome(right(net, *more).x.requires_grad_())


@fault
def stays_in_threat(net: nn.Module, batch: Batch, *more: Any) -> Outcome:
    """It goes twice as far."""
    x = right(net, batch, *more).x
    return Outcome((2 * x - batch.x).clamp(0, 1))


@planted("evaluators", Evaluator, knowledge="black-box")
def black_box_takes_no_gradient(*given: Any) -> Outcome:
    """A step along the gradient, called black-box."""
    return right(*given)


@fault
def batch_not_written(net: nn.Module, batch: Batch, *more: Any) -> Outcome:
    """It marks labels it is done with."""
    outcome = right(net, batch, *more)
    batch.y[-1] = -1
    return outcome


@fault
def leaves_no_trace(net: nn.Module, *more: Any) -> Outcome:
    """It clears gradients that are not its own."""
    outcome = right(net, *more)
    net.zero_grad()
    return outcome


@fault
def leaves_no_trace_of_a_failure(net: nn.Module, *more: Any) -> Outcome:
    """It switches modes and puts them back, unless something raises."""
    flags = [(module, module.training) for module in net.modules()]
    net.eval()
    outcome = right(net, *more)
    for module, flag in flags:
        module.training = flag
    return outcome


@fault
def same_seed_same_outcome(net: nn.Module, batch: Batch, *more: Any) -> Outcome:
    """It draws from the global generator."""
    with torch.random.fork_rng():
        share = 1 - torch.rand(()) / 10
    return Outcome(batch.x + share * (right(net, batch, *more).x - batch.x))


@fault
def finds_what_is_near(net: nn.Module, batch: Batch, *_: Any) -> Outcome:
    """It never attacks."""
    return Outcome(batch.x.clone())


@planted("evaluators", Evaluator, cost=(1, 0))
def costs_what_it_declares(net: nn.Module, *more: Any) -> Outcome:
    """It declares less than it takes."""
    return right(net, *more)


@dataclass(frozen=True, kw_only=True)
class Forgetful(Evaluator):
    """Its keys count on from one run to the next."""

    run: Callable[..., Outcome] = right
    _runs: list[int] = field(default_factory=list, init=False)

    def __call__(
        self,
        net: nn.Module,
        batch: Batch,
        threat: Threat,
        generator: torch.Generator,
        *,
        memo: Memo = lambda key, compute: compute(),
    ) -> Outcome:
        """The attacked images."""
        self._runs.append(1)

        def compute() -> Tensor:
            return right(net, batch, threat, generator).x

        return Outcome(memo(f"run-{len(self._runs)}", compute))


plant("evaluators", "declares_what_it_is", Evaluator(run=right, kind="fixed"))
plant("evaluators", "goes_on_from_its_memo", Forgetful())
