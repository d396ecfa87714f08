"""What members hand back in a training step, checked at the border: a wrong shape would pass unseen."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from advkd.errors import AdvkdError, error
from advkd.types import Batch, Path, Threat


def check_walk(path: Path, x: Tensor, place: str) -> None:
    """Raises unless an attack has begun at the images `x` (B,C,H,W) themselves."""
    if path.x.shape[1:] != x.shape or not torch.equal(path.x[0], x):
        shape = f"points of shape {tuple(path.x.shape[1:])}, images of shape {tuple(x.shape)}"
        raise _refused(place, "an attack begins with the images as they are", shape, "attack")


def check_paths(paths: Mapping[str, Path | None], batch: Batch, threat: Threat, when: str) -> None:
    """Raises unless every path, by branch, stays inside the threat around its first point."""
    for name, path in paths.items():
        if path is not None:
            _check_path(path, batch, threat, f"path {name}, {when}")


def _check_path(path: object, batch: Batch, threat: Threat, place: str) -> None:
    if not isinstance(path, Path):
        problem = "a path sampler gives a Path, or None to skip the batch"
        raise _refused(place, problem, type(path).__name__, "path")
    if path.x.dim() != batch.x.dim() + 1 or path.x.shape[1:2] != path.y.shape:
        shape = f"points {tuple(path.x.shape)}, classes {tuple(path.y.shape)}"
        raise _refused(place, "a path has points (T,B,C,H,W) and classes (B,)", shape, "path")
    t, b = path.x.shape[:2]
    starts = path.x[:1].expand_as(path.x)
    if not threat.holds(path.x.flatten(0, 1), starts.flatten(0, 1)).all():
        far = threat.distance(path.x.flatten(0, 1), starts.flatten(0, 1)).view(t, b).amax().item()
        told = f"distance {far:.6g}, pixels {path.x.min():.4g} to {path.x.max():.4g}"
        raise _refused(place, f"a path left the threat {threat}", told, "path", "attack")


def check_loss(value: object, logits: Tensor, place: str) -> None:
    """Raises unless a loss is (B,), one number a sample, with gradient where `logits` (B,N) has one."""
    shape = tuple(logits.shape[:1])
    if not isinstance(value, Tensor) or value.shape != shape:
        given = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise _refused(place, f"a loss gives one number a sample, shape (B,) = {shape}", given, "loss")
    if logits.requires_grad and not value.requires_grad:
        raise _refused(place, "a loss must lead back to the logits", "a value without gradient", "loss")


def check_finite(losses: Mapping[str, float], when: str, *, trained: bool) -> None:
    """Raises unless every loss of a step, by part, is a finite number; `trained` says a step went before."""
    if not all(math.isfinite(value) for value in losses.values()):
        lower = "lower optimizer.lr or method.total; checkpoints of earlier epochs are kept"
        untrained = "nothing is trained yet, so a member is at fault: advkd check loss NAME, or attack NAME"
        remedy = lower if trained else untrained
        raise error(when, "the loss is no longer a finite number", given=dict(losses), remedy=remedy)


def _refused(place: str, problem: str, given: object, *slots: str) -> AdvkdError:
    commands = " and ".join(f"advkd check {slot} NAME" for slot in slots)
    remedy = f"{commands}: small cases show what is wrong"
    return error(place, problem, given=given, remedy=remedy)
