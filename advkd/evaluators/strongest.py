"""The worst point an attack passes: restarts on what still stands, the best iterate kept."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from advkd.modes import evaluating, logits_of
from advkd.protocols import Attack, Loss
from advkd.types import Batch, Threat, per_sample
from advkd.walk import Probe, answered


def strongest(
    net: nn.Module,
    batch: Batch,
    attack: Attack,
    loss: Loss,
    threat: Threat,
    generator: torch.Generator,
    restarts: int = 1,
) -> Tensor:
    """Images (B,C,H,W): for each sample the first wrong point with the highest loss, else the highest.

    Samples already wrong when clean are not attacked; each restart takes those still right.
    """
    best = batch.x.clone()
    with evaluating(net):
        standing = (logits_of(net, batch.x).argmax(1) == batch.y).nonzero().squeeze(1)
        for _ in range(restarts):
            if not len(standing):
                break
            x, wrong = _once(
                net, Batch(batch.x[standing], batch.y[standing]), attack, loss, threat, generator
            )
            best[standing] = x
            standing = standing[~wrong]
    return best


def _once(
    net: nn.Module, batch: Batch, attack: Attack, loss: Loss, threat: Threat, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    probe = Probe(net)
    best, fooled = batch.x.clone(), torch.zeros_like(batch.y, dtype=torch.bool)
    highest = torch.full(batch.y.shape, float("-inf"), dtype=batch.x.dtype, device=batch.x.device)
    points = attack(lambda x: loss(probe(x), batch.y), batch.x, threat, generator)
    for x, known in answered(points, probe):
        logits = logits_of(net, x) if known is None else known
        value, wrong = loss(logits, batch.y), logits.argmax(1) != batch.y
        better = (wrong & ~fooled) | ((wrong == fooled) & (value > highest))
        best = torch.where(per_sample(better, best), x, best)
        highest = torch.where(better, value, highest)
        fooled |= wrong
    return best, fooled
