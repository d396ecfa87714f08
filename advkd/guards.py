"""What members hand back in a training step, checked at the border: a wrong shape would pass unseen."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from advkd.errors import AdvkdError, error
from advkd.outcome import Outcome
from advkd.protocols import Evaluator, Parts
from advkd.types import Batch, Path, Threat


def check_walk(path: Path, x: Tensor, place: str) -> None:
    """Raises unless an attack has begun at the images `x` (B,C,H,W) themselves."""
    if path.x.shape[1:] != x.shape or path.x.dtype != x.dtype:
        given = f"points {_what(path.x[0])}, images {_what(x)}"
        raise _refused(place, "the points of an attack are images like those it begins with", given, "attack")
    if not torch.equal(path.x[0], x):
        far = (path.x[0] - x).abs().max()
        given = f"its first point is up to {far:.6g} away from them"
        raise _refused(place, "an attack yields the images first, as they are", given, "attack")


def check_paths(
    paths: Mapping[str, Path | None], batch: Batch, threat: Threat, when: str, *, whole: bool = True
) -> None:
    """Raises unless every path, by branch, begins at images of the batch and stays inside the threat.

    Reading every point takes long; unless `whole`, only where paths end is looked at.
    """
    if not isinstance(paths, Mapping):
        problem = "a method gives its paths by branch, as a mapping"
        raise _refused(when, problem, type(paths).__name__, "method")
    for name, path in paths.items():
        place = f"path {name}, {when}"
        if path is not None and (whole or not isinstance(path, Path) or not path.x.numel()):
            _check_path(path, batch, threat, place)
        elif path is not None:
            _check_inside(path.x[-1:], path.x[:1], threat, place)


def _check_path(path: object, batch: Batch, threat: Threat, place: str) -> None:
    if not isinstance(path, Path):
        problem = "a path sampler gives a Path, or None to skip the batch"
        raise _refused(place, problem, type(path).__name__, "path")
    if path.x.dim() != batch.x.dim() + 1 or path.x.shape[1:2] != path.y.shape:
        shape = f"points {tuple(path.x.shape)}, classes {tuple(path.y.shape)}"
        raise _refused(place, "a path has points (T,B,C,H,W) and classes (B,)", shape, "path")
    if (path.x.dtype, path.y.dtype) != (batch.x.dtype, batch.y.dtype):
        given = f"points {_what(path.x)}, classes {_what(path.y)}; images {_what(batch.x)}"
        raise _refused(place, "a path has points and classes of the types of the batch", given, "path")
    t, b = path.x.shape[:2]
    if not t or not b:
        raise _refused(place, "a path has a point and an image; None skips the batch", (t, b), "path")
    if wrong := wrong_start(path, batch):
        raise _refused(
            place, "every walk begins at an image of the batch, with its class", wrong, "path", "attack"
        )
    _check_inside(path.x, path.x[:1], threat, place)


def _check_inside(points: Tensor, starts: Tensor, threat: Threat, place: str) -> None:
    x, start = points.flatten(0, 1), starts.expand_as(points).flatten(0, 1)
    if not threat.holds(x, start).all():
        far = threat.distance(x, start).amax().item()
        told = f"distance {far:.6g}, pixels {x.min():.4g} to {x.max():.4g}"
        raise _refused(place, f"a path left the threat {threat}", told, "path", "attack")


def wrong_start(path: Path, batch: Batch) -> str:
    """What is wrong where a walk begins at no image of the batch with its class; empty if nothing is."""
    if torch.equal(path.x[0], batch.x) and torch.equal(path.y, batch.y):
        return ""
    for i, (x, y) in enumerate(zip(path.x[0], path.y, strict=True)):
        same = (batch.x == x).flatten(1).all(1)
        if not (same & (batch.y == y)).any():
            what = "its image has another class" if same.any() else "no such image"
            return f"start {i}, class {int(y)}: {what}"
    return ""


def check_loss(value: object, logits: Tensor, place: str) -> None:
    """Raises unless a loss is (B,), one number a sample, with gradient where `logits` (B,N) has one."""
    shape = tuple(logits.shape[:1])
    if not isinstance(value, Tensor) or value.shape != shape:
        given = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise _refused(place, f"a loss gives one number a sample, shape (B,) = {shape}", given, "loss")
    if logits.requires_grad and not value.requires_grad:
        raise _refused(place, "a loss must have a gradient", "a value without gradient", "loss")


def scalars(losses: Iterable[tuple[Tensor, Parts]], method: object) -> Iterator[tuple[Tensor, Parts]]:
    """The `losses` of a method, each checked: a number with a way back to the weights, and its parts."""
    place = f"{type(method).__name__}.losses"
    if not isinstance(losses, Iterable):
        raise _refused(place, "a method yields its scalars", type(losses).__name__, "method")
    for pair in losses:
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise _refused(place, "a method yields pairs of a scalar and its parts", _what(pair), "method")
        _check_scalar(*pair, place)
        yield pair


def _check_scalar(scalar: object, parts: object, place: str) -> None:
    if not isinstance(scalar, Tensor) or scalar.dim():
        raise _refused(place, "a method yields scalars to backpropagate", _what(scalar), "method")
    if not scalar.requires_grad:
        raise _refused(place, "a scalar must have a gradient", "a value without gradient", "method")
    if not isinstance(parts, Mapping) or not all(isinstance(part, Tensor) for part in parts.values()):
        told = (
            {name: _what(part) for name, part in parts.items()}
            if isinstance(parts, Mapping)
            else _what(parts)
        )
        raise _refused(place, "beside a scalar stand its parts, tensors by name", told, "method")


def outcome_of(
    evaluator: Evaluator,
    place: str,
    net: nn.Module,
    batch: Batch,
    threat: Threat,
    generator: torch.Generator,
    **more: Any,
) -> Outcome:
    """What an evaluator makes of a batch; raises unless it is an `Outcome` with an image for each of it."""
    # one that writes to its batch would move the starts it is held against
    outcome: object = evaluator(net, Batch(batch.x.clone(), batch.y.clone()), threat, generator, **more)
    x = getattr(outcome, "x", None)
    if not isinstance(outcome, Outcome) or not isinstance(x, Tensor):
        given = f"Outcome of {_what(x)}" if isinstance(outcome, Outcome) else type(outcome).__name__
        raise _refused(place, "an evaluator gives an Outcome of the attacked images", given, "evaluator")
    if x.shape != batch.x.shape or not x.is_floating_point():
        given = f"{_what(x)} of {_what(batch.x)}"
        raise _refused(place, "an Outcome has an image for each of the batch", given, "evaluator")
    return outcome


def check_finite(losses: Mapping[str, float], when: str, *, trained: bool) -> None:
    """Raises unless every loss of a step, by part, is a finite number; `trained` says a step went before."""
    if not all(math.isfinite(value) for value in losses.values()):
        lower = "lower optimizer.lr or method.total; the best student of earlier epochs is kept"
        untrained = "nothing is trained yet, so a member is at fault: advkd check loss NAME, or attack NAME"
        remedy = lower if trained else untrained
        raise error(when, "the loss is no longer a finite number", given=dict(losses), remedy=remedy)


def _what(value: object) -> str:
    if not isinstance(value, Tensor):
        return type(value).__name__
    return f"{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}"


def _refused(place: str, problem: str, given: object, *slots: str) -> AdvkdError:
    commands = " and ".join(f"advkd check {slot} NAME" for slot in slots)
    remedy = f"{commands}: small cases show what is wrong"
    return error(place, problem, given=given, remedy=remedy)
