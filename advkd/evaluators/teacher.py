"""Attacks that know more than the student: its teacher, or a sibling (`transfer`, `kl-teacher`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import nn

from advkd.errors import AdvkdError, at_least_one, unknown
from advkd.evaluators.strongest import Restarted, strongest
from advkd.networks.modes import logits_of
from advkd.outcome import Outcome
from advkd.protocols import Kind, Knowledge, Passes
from advkd.registry import load
from advkd.types import Batch, Real, Threat


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """Examples made on another network, `source`, and shown to this one, whose gradient is not used.

    The attack is PGD on the margin of the source, `teacher` or a name under `nets`. Source: Papernot,
    McDaniel, Goodfellow 2016 (arXiv 1605.07277).
    """

    source: str = "teacher"
    steps: int = 40
    step_size: Real | str = "1/4 eps"
    nets: tuple[str, ...] = field(init=False)

    kind: ClassVar[Kind] = "fixed-budget"
    knowledge: ClassVar[Knowledge] = "black-box"

    def __post_init__(self) -> None:
        at_least_one(steps=self.steps)
        object.__setattr__(self, "nets", (self.source,))

    def passes(self, classes: int) -> Passes:  # noqa: ARG002
        """Passes through this network; the source takes `steps` of each."""
        return 0, 0

    def __call__(
        self,
        net: nn.Module,  # noqa: ARG002
        batch: Batch,
        threat: Threat,
        generator: torch.Generator,
        *,
        nets: Mapping[str, nn.Module] | None = None,
    ) -> Outcome:
        """The images attacked on the source."""
        source = given(self.source, nets)
        attack = load("attacks", "pgd")(steps=self.steps, step_size=self.step_size)
        loss = load("losses", "margin")()
        # what the source gets wrong as it is, the other network may get right
        return Outcome(strongest(source, batch, attack, loss, threat, generator, everywhere=True))


@dataclass(frozen=True, kw_only=True)
class KLTeacher(Restarted):
    """Projected gradient ascent on KL(teacher(x) || student(x')): as far from the teacher as eps allows.

    The adaptive attack for a network whose training pulled it toward its teacher on just such points.
    Source: the inner problem of RSLAD, Zi et al., ICCV 2021 (arXiv 2108.07969), used to judge.
    """

    nets: ClassVar[tuple[str, ...]] = ("teacher",)

    def __call__(
        self,
        net: nn.Module,
        batch: Batch,
        threat: Threat,
        generator: torch.Generator,
        *,
        nets: Mapping[str, nn.Module] | None = None,
    ) -> Outcome:
        """The attacked images."""
        target = logits_of(given("teacher", nets), batch.x)
        return self.found(net, batch, "kl", threat, generator, target)


def given(name: str, nets: Mapping[str, nn.Module] | None) -> nn.Module:
    """The network called `name`; an error that says which there are."""
    nets = nets or {}
    if name not in nets:
        remedy = "give teacher=FILE, or a network by '+nets.NAME={use: file, path: FILE}'"
        raise AdvkdError(unknown("evaluators", "network", name, nets, remedy))
    return nets[name]
