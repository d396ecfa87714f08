"""Attacks with one fault each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from advkd.protocols import Objective
from advkd.registry import load
from advkd.testing.mutants import planted
from advkd.types import Threat, per_sample

Points = Iterator[Tensor]


@dataclass(frozen=True, kw_only=True)
class Attack:
    """Ten right steps from the image itself, but for what `run` does to them."""

    run: Callable[..., Points]
    norms: tuple[str, ...] = ("linf", "l2")

    def __call__(
        self, objective: Objective, start: Tensor, threat: Threat, generator: torch.Generator
    ) -> Iterator[Tensor]:
        """Yields points (B,C,H,W)."""
        return self.run(right(objective, start, threat), start, threat, objective, generator)


def right(objective: Objective, start: Tensor, threat: Threat) -> Points:
    """What a conforming attack yields."""
    points: Points = load("attacks", "pgd")(init="none")(objective, start, threat, torch.Generator())
    return points


def shrunk(points: Points, start: Tensor, share: Tensor) -> Points:
    """Points drawn toward the start, each sample by its share."""
    return (start + per_sample(share, start) * (point - start) for point in points)


fault = planted("attacks", Attack)


@fault
def starts_at_input(points: Points, start: Tensor, threat: Threat, _: Any, generator: Any) -> Points:
    """Noise instead of the start."""
    next(points)
    yield threat.random_start(start, generator)
    yield from points


@fault
def one_point_per_step(points: Points, *_: Any) -> Points:
    """It stops where it stands still."""
    before = next(points)
    yield before
    for point in points:
        if torch.equal(point, before):
            return
        yield (before := point)


@fault
def stays_in_ball(points: Points, start: Tensor, threat: Threat, *_: Any) -> Points:
    """One more step at the end, which nothing projects into the ball."""
    *before, end = points
    yield from before
    yield (end + (end - start) / 10).clamp(*threat.box)


@fault
def stays_in_box(points: Points, start: Tensor, threat: Threat, objective: Any, *_: Any) -> Points:
    """It knows the ball only."""
    return right(objective, start, replace(threat, box=(-9, 9)))


@fault
def asks_inside_the_threat(points: Points, start: Tensor, threat: Threat, objective: Any, *_: Any) -> Points:
    """It asks about its start noise before anything has projected it."""
    objective(start + 2 * threat.eps)
    return points


@fault
def points_carry_no_graph(points: Points, *_: Any) -> Points:
    """Points that ask for a gradient."""
    return (point.clone().requires_grad_() for point in points)


@fault
def keeps_device(points: Points, start: Tensor, *_: Any) -> Points:
    """It adds a mask that it keeps on the CPU."""
    mask = torch.zeros(start.shape)
    return (point + mask for point in points)


@fault
def input_not_written(points: Points, start: Tensor, *_: Any) -> Points:
    """It works in the tensor it was given."""
    found = [point.clone() for point in points]
    start.copy_(found[-1])
    return iter(found)


@fault
def leaves_no_trace(points: Points, start: Tensor, threat: Threat, objective: Any, *_: Any) -> Points:
    """It clears gradients that are not its own."""
    yield from points
    if hasattr(objective, "net"):
        objective.net.zero_grad()


@fault
def leaves_no_trace_of_a_failure(
    points: Points, start: Tensor, threat: Threat, objective: Any, *_: Any
) -> Points:
    """It switches modes and puts them back, unless something raises."""
    flags = [(m, m.training) for m in objective.net.modules()] if hasattr(objective, "net") else []
    for module, flag in flags:
        module.training = not flag
    yield from points
    for module, flag in flags:
        module.training = flag


@fault
def same_seed_same_path(points: Points, start: Tensor, *_: Any) -> Points:
    """It draws from the global generator."""
    with torch.random.fork_rng():
        share = 1 - torch.rand((), dtype=start.dtype) / 100
    return shrunk(points, start, share.to(start.device).expand(len(start)))


@fault
def batch_order_irrelevant(points: Points, start: Tensor, *_: Any) -> Points:
    """Later samples of a batch walk less far."""
    return shrunk(points, start, 1 - torch.arange(len(start)).to(start) / 1000)


@fault
def neighbours_do_not_matter(points: Points, start: Tensor, *_: Any) -> Points:
    """It looks at the mean over the batch."""
    return shrunk(points, start, (1 - start.mean() / 100).expand(len(start)))


@fault
def batch_of_one(points: Points, start: Tensor, *_: Any) -> Points:
    """It squeezes away a batch of one."""
    return (point[0] if len(start) == 1 else point for point in points)


@fault
def any_rank(points: Points, *_: Any) -> Points:
    """It takes whatever is no image for a vector."""
    return (point if point.dim() == 4 else point.flatten(1) for point in points)


@fault
def keeps_dtype(points: Points, *_: Any) -> Points:
    """It answers in double precision."""
    return (point.double() for point in points)


@fault
def reaches_linear_optimum(points: Points, start: Tensor, threat: Threat, objective: Any, *_: Any) -> Points:
    """In l2 it goes the way of linf."""
    if threat.norm == "linf":
        return points

    def inside(at: Tensor) -> Tensor:
        return at + (threat.project(at, start) - at).detach()

    return map(inside, right(lambda at: objective(inside(at)), start, replace(threat, norm="linf")))


@fault
def reaches_the_corner_of_the_box(points: Points, start: Tensor, *_: Any) -> Points:
    """Pixels at the edge of the box get no gradient, as behind a clamp."""
    return (torch.where((start <= 0) | (start >= 1), start, point) for point in points)


@fault
def finite_without_gradient(points: Points, start: Tensor, *_: Any) -> Points:
    """It divides by a length that may be zero."""
    yield next(points)
    for point in points:
        length = per_sample((point - start).flatten(1).norm(dim=1), start)
        yield start + (point - start) * length / length


@planted("attacks", Attack, norms=("linf",))
def refuses_other_norms(points: Points, *_: Any) -> Points:
    """It declares linf and walks in l2 as well."""
    return points
