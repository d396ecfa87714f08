"""Walking: an attack run on an objective of the student, kept as a path."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from advkd.types import Path


class Probe:
    """The attacked network. It remembers its last answer, so that no point is forwarded twice."""

    def __init__(self, net: nn.Module) -> None:
        self._net = net
        self._seen: tuple[Tensor, Tensor] | None = None

    def __call__(self, x: Tensor) -> Tensor:
        """Logits (B,N) of `x` (B,C,H,W)."""
        logits: Tensor = self._net(x)
        self._seen = x.detach().clone(), logits.detach()
        return logits

    def recall(self, x: Tensor) -> Tensor | None:
        """The logits of `x`, if `x` was the last thing asked."""
        if self._seen is not None and torch.equal(self._seen[0], x):
            return self._seen[1]
        return None


def answered(points: Iterator[Tensor], probe: Probe) -> Iterator[tuple[Tensor, Tensor | None]]:
    """The points of an attack, each with the logits the attack asked for there, where it did.

    An attack evaluates a point after it has yielded it, so each is passed on one step late.
    """
    last: Tensor | None = None
    for point in points:
        if last is not None:
            yield last, probe.recall(last)
        last = point.detach().clone()
    if last is not None:
        yield last, probe.recall(last)


def walked(
    points: Iterator[Tensor], probe: Probe, y: Tensor, goal: Tensor | None, *, reuse: bool = True
) -> Path:
    """The path an attack makes; `reuse` keeps the logits it asked for (only right in eval mode)."""
    pairs = list(answered(points, probe))
    logits = {k: z for k, (_, z) in enumerate(pairs) if z is not None and k and reuse}
    return Path(torch.stack([point for point, _ in pairs]), y, goal, logits)


def ascending(objective: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """The objective (B,) at `x` and its gradient; only the input gets one."""
    with torch.enable_grad():
        leaf = x.detach().requires_grad_()
        value = objective(leaf)
        (gradient,) = torch.autograd.grad(value.sum(), leaf)
    return value.detach(), gradient
