"""Weights perturbed against the loss while it is lowered (`awp`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from advkd.errors import error
from advkd.protocols import Gradient
from advkd.step import Step
from advkd.types import Real

TINY = 1e-20


@dataclass(frozen=True, kw_only=True)
class AWP:
    """Adversarial weight perturbation: the losses of a step are lowered from where they are larger.

    When the paths are walked, each weight tensor w moves by gamma |w| g / |g|, g being the gradient of the
    method's own loss along these paths; the losses are backpropagated from there, and the weights are put
    back to the bit before the optimiser moves. It starts at the fraction `since` of training. Perturbed are
    the student's tensors with `weight` in their name and more than one dimension; never BatchNorm, what a
    method trains beside the student, or a teacher. Weightings read the student as the attack saw it. A step
    costs its losses twice.

    Source: Wu et al., NeurIPS 2020 (arXiv 2004.05884). The published code takes the direction from one step
    of SGD on a copy in train mode, whose rate cancels out and whose BatchNorm statistics are thrown away, as
    they are here. It lets the optimiser move the perturbed weights and subtracts the perturbation then: its
    weight decay sees them perturbed, and what it gets back is rounded. The defaults are those of its
    TRADES-AWP (9 of 200 epochs without, a twentieth rounded); its AT-AWP has gamma 0.01 from the start.
    """

    gamma: Real = 0.005
    since: Real = 1 / 20

    def __post_init__(self) -> None:
        if self.gamma <= 0:
            raise error("gamma", "must be positive", given=self.gamma)
        if not 0 <= self.since < 1:
            raise error("since", "a fraction of training, from 0 to below 1", given=self.since)

    @contextmanager
    def around_step(self, student: nn.Module, gradient: Gradient, step: Step) -> Iterator[None]:
        """Perturbed weights inside the block, the same bits as before after it."""
        if step.progress < self.since:
            yield
            return
        uphill = gradient()
        perturbed = [
            (p, p.detach().clone(), uphill[name])
            for name, p in student.named_parameters()
            if "weight" in name and p.dim() > 1 and name in uphill
        ]
        with torch.no_grad():
            for p, before, g in perturbed:
                p.add_(g * (self.gamma * before.norm() / (g.norm() + TINY)))
        del uphill
        try:
            yield
        finally:
            with torch.no_grad():
                for p, before, _ in perturbed:
                    p.copy_(before)
