"""The worst point an attack passes: restarts on what still stands, the best iterate kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from advkd.errors import at_least_one
from advkd.networks.modes import evaluating, logits_of, misclassified
from advkd.outcome import Outcome
from advkd.protocols import Attack, Kind, Knowledge, Loss, Passes
from advkd.registry import load
from advkd.types import Batch, Real, Threat, per_sample
from advkd.walk import Recorder, answered


@dataclass(frozen=True, kw_only=True)
class Restarted:
    """A white-box gradient attack of `steps` steps, with `restarts` on what still stands."""

    steps: int = 40
    step_size: Real | str = "1/4 eps"
    restarts: int = 1

    kind: ClassVar[Kind] = "fixed-budget"
    knowledge: ClassVar[Knowledge] = "white-box"

    def __post_init__(self) -> None:
        at_least_one(steps=self.steps, restarts=self.restarts)

    def passes(self, classes: int) -> Passes:  # noqa: ARG002
        """Forward and backward passes an image costs at most."""
        return self.restarts * (self.steps + 2) + 1, self.restarts * self.steps

    def found(
        self,
        net: nn.Module,
        batch: Batch,
        loss: str,
        threat: Threat,
        generator: torch.Generator,
        target: Tensor | None = None,
    ) -> Outcome:
        """What PGD finds on the loss called `loss`, against `target` or the labels."""
        attack = load("attacks", "pgd")(steps=self.steps, step_size=self.step_size)
        x = strongest(net, batch, attack, load("losses", loss)(), threat, generator, self.restarts, target)
        return Outcome(x)


def strongest(
    net: nn.Module,
    batch: Batch,
    attack: Attack,
    loss: Loss,
    threat: Threat,
    generator: torch.Generator,
    restarts: int = 1,
    target: Tensor | None = None,
    everywhere: bool = False,
) -> Tensor:
    """For each sample the misclassified point of highest loss, else the point of highest loss, (B,C,H,W).

    Samples already wrong when clean are not attacked, unless `everywhere`; each restart takes those still
    right. `target` (B,...) is what the loss compares with, the labels if absent.
    """
    best, target = batch.x.clone(), batch.y if target is None else target
    highest = torch.full(batch.y.shape, float("-inf"), dtype=batch.x.dtype, device=batch.x.device)
    with evaluating(net):
        right = ~misclassified(logits_of(net, batch.x), batch.y)
        standing = (right | everywhere).nonzero().squeeze(1)
        for _ in range(restarts):
            if not len(standing):
                break
            part = Batch(batch.x[standing], batch.y[standing])
            x, value, wrong = _once(net, part, target[standing], attack, loss, threat, generator)
            better = wrong | (value > highest[standing])
            best[standing[better]], highest[standing[better]] = x[better], value[better].to(highest)
            standing = standing[~wrong]
    return best


def _once(
    net: nn.Module,
    batch: Batch,
    target: Tensor,
    attack: Attack,
    loss: Loss,
    threat: Threat,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor, Tensor]:
    recorder = Recorder(net)
    best, fooled = batch.x.clone(), torch.zeros_like(batch.y, dtype=torch.bool)
    highest = torch.full(batch.y.shape, float("-inf"), dtype=batch.x.dtype, device=batch.x.device)
    points = attack(lambda x: loss(recorder(x), target), batch.x, threat, generator)
    for x, known in answered(points, recorder):
        logits = logits_of(net, x) if known is None else known
        value, wrong = loss(logits, target), misclassified(logits, batch.y)
        better = (wrong & ~fooled) | ((wrong == fooled) & (value > highest))
        best = torch.where(per_sample(better, best), x, best)
        highest = torch.where(better, value, highest)
        fooled |= wrong
    return best, highest, fooled
