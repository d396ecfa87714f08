"""Attacks of adv-lib that judge a network (`advlib:NAME`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import nn

from advkd.errors import error
from advkd.networks.isolation import isolated
from advkd.networks.modes import logits_of
from advkd.outcome import Outcome
from advkd.protocols import Kind, Knowledge
from advkd.streams import drawn
from advkd.types import Batch, Norm, Threat
from advkd_plugins.advlib.library import BOTH, attack, fits, trait


@dataclass(frozen=True, kw_only=True)
class AdvLib:
    """The attack `name` of adv-lib, with `options` as its keyword arguments.

    eps and norm are those of the threat. A fixed budget is kept to; a minimal-norm attack counts where
    what it finds, projected into the threat, is still an error. One that cannot minimise the norm of
    the threat minimises its own, and the outcome says so. Install adv-lib without its dependencies:
    `pip install --no-deps adv-lib tqdm setuptools`. Source: Rony, Ben Ayed, doi 10.5281/zenodo.5815063.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    knowledge: ClassVar[Knowledge] = "white-box"

    def __post_init__(self) -> None:
        trait(self.name)
        if self.options:
            attack(self.name, self.options)

    @property
    def kind(self) -> Kind:
        """Whether the attack has a budget."""
        return trait(self.name).kind

    @property
    def norms(self) -> tuple[Norm, ...]:
        """The norms of a threat it takes: any, where it has no budget to keep to."""
        return BOTH if self.kind == "minimal-norm" else trait(self.name).norms

    def passes(self, classes: int) -> None:
        """Not known before it has run."""

    def __call__(self, net: nn.Module, batch: Batch, threat: Threat, generator: torch.Generator) -> Outcome:
        """The attacked images."""
        known, function = trait(self.name), attack(self.name, self.options)
        fits(self.name, threat)
        self._check_classes(logits_of(net, batch.x[:1]).shape[1])
        arguments = {**known.arguments(threat), **self.options}
        with isolated(net, drawn(generator)):
            x = function(net, batch.x.clone(), batch.y, **arguments).detach()
        measure = known.measure(threat)
        weak = f"{self.name} minimises {measure}, not {threat.norm}: it is weak under this threat"
        return Outcome(threat.project(x, batch.x), () if measure == threat.norm else (weak,))

    def _check_classes(self, classes: int) -> None:
        least = trait(self.name).classes
        if classes < least and self.options.get("loss_function") != "ce":
            problem = f"the loss of {self.name} compares {least} logits, the network has {classes}"
            raise error("advlib.name", problem, remedy="choose another attack, or its loss_function: ce")
