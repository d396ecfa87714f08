"""Walking: an attack run on an objective of the student, kept as a path."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor, nn

from advkd.errors import AdvkdError, Problem, error
from advkd.types import Path

YIELD = "yield the images, then each point as it is reached"
"""What an attack that gives something else has to do."""


class CutOffError(AdvkdError):
    """The network, or what is made of its logits, lets no gradient reach the images."""


class Recorder:
    """The attacked network. It remembers its last answer, so that no point is forwarded twice."""

    def __init__(self, net: nn.Module) -> None:
        self._net = net
        self._seen: tuple[Tensor, int, Tensor] | None = None

    def __call__(self, x: Tensor) -> Tensor:
        """Logits (B,N) of `x` (B,C,H,W)."""
        logits: Tensor = self._net(x)
        # in-place writes count up the version, so an unchanged one saves a copy of every point
        self._seen = x.detach(), x._version, logits.detach()
        return logits

    def recall(self, x: Tensor) -> Tensor | None:
        """The logits of `x`, if `x` was the last thing asked."""
        if self._seen is None:
            return None
        seen, version, logits = self._seen
        unwritten = seen._version == version
        same = seen.data_ptr() == x.data_ptr() and seen.stride() == x.stride() and seen.shape == x.shape
        return logits if unwritten and (same or torch.equal(seen, x)) else None


def answered(points: Iterator[Tensor], recorder: Recorder) -> Iterator[tuple[Tensor, Tensor | None]]:
    """The points of an attack, each with the logits the attack asked for there, where it did.

    An attack evaluates a point after it has yielded it, so each is passed on one step late.
    """
    last: tuple[Tensor, int, Tensor] | None = None

    def with_answer(point: Tensor, version: int, copy: Tensor) -> tuple[Tensor, Tensor | None]:
        # the copy is the path's, whatever the attack does to its own tensor next
        return copy, recorder.recall(point if point._version == version else copy)

    for point in points:
        if not isinstance(point, Tensor):
            raise error("attack", "its points are tensors", given=type(point).__name__, remedy=YIELD)
        if last is not None:
            yield with_answer(*last)
        last = point.detach(), point._version, point.detach().clone()
    if last is not None:
        yield with_answer(*last)


def walked(
    points: Iterator[Tensor], recorder: Recorder, y: Tensor, goal: Tensor | None, *, reuse: bool = True
) -> Path:
    """The path an attack makes; `reuse` keeps the logits it asked for (only right in eval mode)."""
    if not isinstance(points, Iterable):
        given = type(points).__name__
        raise error("attack", "an attack yields its points, one tensor each", given=given, remedy=YIELD)
    pairs = list(answered(points, recorder))
    shapes = [tuple(point.shape) for point, _ in pairs]
    if len(set(shapes)) != 1:
        raise error("attack", "its points must all have the shape of the images", given=shapes, remedy=YIELD)
    logits = {k: z for k, (_, z) in enumerate(pairs) if z is not None and k and reuse}
    return Path(torch.stack([point for point, _ in pairs]), y, goal, logits)


def value_and_gradient(objective: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """The objective (B,) at `x` and its gradient; only the input gets one."""
    with torch.enable_grad():
        leaf = x.detach().requires_grad_()
        value = objective(leaf)
        found = torch.autograd.grad(value.sum(), leaf, allow_unused=True) if value.requires_grad else [None]
    if found[0] is None:
        remedy = "attacks by gradients need a network that does not detach, round or index its input"
        problem = "no gradient of its objective reaches the images"
        raise CutOffError(Problem(place="attack", problem=problem, remedy=remedy))
    return value.detach(), found[0]
