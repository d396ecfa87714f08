"""Attacks of adv-lib in training (`advlib:apgd`, `advlib:pgd_linf`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from advkd.errors import error
from advkd.protocols import Objective
from advkd.streams import drawn, global_seed
from advkd.types import Norm, Threat
from advkd_plugins.advlib.library import attack, fits, trait

STEPS = {"apgd": ("n_iter", 0), "pgd_linf": ("steps", 1)}
"""The argument for the number of steps, and how many more make it ask about the last point too."""

CLOSED = ("steps", "n_iter", "loss_function", "restarts", "n_restarts", "eot_iter")
"""Options that would make another path than one point per step of the objective."""


@dataclass(frozen=True, kw_only=True)
class AdvLibAttack:
    """The attack `name` of adv-lib on any objective, with `options` as its keyword arguments.

    adv-lib attacks classify: they return their last find alone. So the attack is given a network of two
    logits, the objective and what it was at the start, whose cross-entropy rises with the objective; the
    points are those it asked about. Of its attacks these two lower a loss within a budget; the others
    search for a change of class, which a training objective does not define.
    """

    name: Literal["apgd", "pgd_linf"]
    steps: int = 10
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def norms(self) -> tuple[Norm, ...]:
        """The norms it walks in."""
        return trait(self.name).norms

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise error("steps", "an attack takes at least one step", given=self.steps)
        if self.options:
            attack(self.name, self.options, CLOSED)

    def __call__(
        self, objective: Objective, start: Tensor, threat: Threat, generator: torch.Generator
    ) -> Iterator[Tensor]:
        """Yields `start` (B,C,H,W), then one projected point per step; the attack has run by then."""
        function = attack(self.name, self.options, CLOSED)
        fits(self.name, threat)
        yield start
        with torch.no_grad():
            before = objective(start)
        asked: list[Tensor] = []

        def model(x: Tensor) -> Tensor:
            asked.append(x.detach().clone())
            # times one: pgd_linf writes into the gradient, which may be one number seen many times
            return torch.stack([before, objective(1 * x)], 1)

        count, more = STEPS[self.name]
        arguments = {count: self.steps + more, "loss_function": "ce", **trait(self.name).arguments(threat)}
        labels = torch.zeros(len(start), dtype=torch.long, device=start.device)
        with global_seed(drawn(generator)), torch.enable_grad():
            function(model, start.clone(), labels, **arguments, **self.options)
        if len(asked) != self.steps + 1:
            problem = (
                f"{self.name} asked about {len(asked)} points in {self.steps} steps, not {self.steps + 1}"
            )
            raise error("advlib", problem, remedy="this version of adv-lib is not known: install 0.2.8")
        yield from (threat.project(x, start) for x in asked[1:])
