"""Path samplers with one fault each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from advkd.protocols import Walk
from advkd.step import Step
from advkd.testing.mutants import planted
from advkd.testing.parts import CLASSES
from advkd.types import Batch, Path


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """A sampler that is all fault."""

    run: Callable[[Walk, Batch, Step], Path | None]
    goals: bool = False

    def __call__(self, walk: Walk, batch: Batch, step: Step) -> Path | None:
        """One path."""
        return self.run(walk, batch, step)


fault = planted("paths", Sampler)


@fault
def starts_clean(walk: Walk, batch: Batch, step: Step) -> Path:
    """Walkers get another label than their image has."""
    return replace(walk(batch.x, batch.y), y=(batch.y + 1) % CLASSES)


@fault
def shapes_agree(walk: Walk, batch: Batch, step: Step) -> Path:
    """Only the start is kept."""
    return Path(walk(batch.x, batch.y).x[:1], batch.y)


@fault
def keeps_dtype(walk: Walk, batch: Batch, step: Step) -> Path:
    """Classes as fractions."""
    path = walk(batch.x, batch.y)
    return replace(path, y=path.y.to(path.x))


@fault
def stays_in_threat(walk: Walk, batch: Batch, step: Step) -> Path:
    """It goes on beyond the end."""
    path = walk(batch.x, batch.y)
    beyond = (2 * path.x[-1] - path.x[0]).clamp(*step.threat.box)
    return Path(torch.cat([path.x, beyond[None]]), path.y)


@fault
def points_carry_no_graph(walk: Walk, batch: Batch, step: Step) -> Path:
    """Points that ask for a gradient."""
    path = walk(batch.x, batch.y)
    return replace(path, x=path.x.clone().requires_grad_())


@fault
def no_goal_where_none_is_declared(walk: Walk, batch: Batch, step: Step) -> Path:
    """It walks toward a class and declares no goals."""
    return walk(batch.x, batch.y, (batch.y + 1) % CLASSES)


@planted("paths", Sampler, goals=True)
def goals_are_other_classes(walk: Walk, batch: Batch, step: Step) -> Path:
    """It walks toward the class it comes from."""
    return walk(batch.x, batch.y, batch.y)


@fault
def kept_logits_are_true(walk: Walk, batch: Batch, step: Step) -> Path:
    """The logits are those of the point before."""
    path = walk(batch.x, batch.y)
    return replace(path, logits={k + 1: z for k, z in path.logits.items()})


@fault
def keeps_device(walk: Walk, batch: Batch, step: Step) -> Path:
    """It multiplies the images by a mask that it keeps on the CPU."""
    weight = torch.ones(len(batch.y), 1, 1, 1, dtype=batch.x.dtype)
    return walk(batch.x * weight, batch.y)


@fault
def same_step_same_path(walk: Walk, batch: Batch, step: Step) -> Path:
    """It draws from the global generator."""
    with torch.random.fork_rng():
        rows = torch.randperm(len(batch.y))
    return walk(batch.x[rows], batch.y[rows])


@fault
def one_class_is_walked_or_skipped(walk: Walk, batch: Batch, step: Step) -> Path:
    """It counts on a second class."""
    other = batch.y[batch.y != batch.y[0]]
    return walk(batch.x, batch.y + 0 * other[0])


@fault
def reads_declared_nets(walk: Walk, batch: Batch, step: Step) -> Path:
    """It asks the teacher and does not say so."""
    step.start_logits("teacher", batch.x)
    return walk(batch.x, batch.y)


@fault
def leaves_no_trace(walk: Walk, batch: Batch, step: Step) -> Path:
    """It leaves the student in eval mode."""
    step.nets["student"].eval()
    return walk(batch.x, batch.y)
