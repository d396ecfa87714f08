"""How a network stands up to attacks, each outcome confirmed on the very tensor the attack left."""

from __future__ import annotations

import time
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from advkd.data.images import Images, in_memory
from advkd.errors import error
from advkd.modes import evaluating, full_float32, logits_of
from advkd.protocols import Evaluator
from advkd.result import Result
from advkd.streams import streams
from advkd.types import Batch, Threat

SLACK = 1e-6
"""Rounding of float32 that a distance may show beyond eps."""


def evaluate(
    net: nn.Module,
    data: Dataset[tuple[Tensor, int]],
    threat: Threat,
    attacks: Mapping[str, Evaluator],
    *,
    batch_size: int = 512,
    seed: int = 0,
) -> Result:
    """Accuracy of `net` (pixels in [0,1] to logits) on `data`, clean and under each of `attacks`.

    Eval mode and float32 throughout; the network is left as found. `seed` fixes the attacks' noise, so
    that two networks meet the same. Raises `AdvkdError` for images or labels that do not fit, and for
    an attack that leaves the threat.
    """
    device = next((p.device for p in net.parameters()), torch.device("cpu"))
    images = images_for(net, data, device)
    right: dict[str, list[Tensor]] = {"clean": []}
    seconds = dict.fromkeys(attacks, 0.0)
    random = streams(seed)
    with evaluating(net):
        for index, rows in enumerate(torch.split(torch.arange(len(images)), batch_size)):
            batch = images.batch(rows)
            batch = Batch(batch.x.to(device), batch.y.to(device))
            right["clean"].append(right_of(net, batch.x, batch.y).cpu())
            for name, attack in attacks.items():
                if name == "clean":
                    continue
                begin = time.perf_counter()
                outcome = attack(net, batch, threat, random("evaluate", name, index))
                confirmed(outcome.x, batch.x, threat, name)
                right.setdefault(name, []).append(right_of(net, outcome.x, batch.y).cpu())
                seconds[name] += time.perf_counter() - begin
    return Result(right={name: torch.cat(parts) for name, parts in right.items()}, seconds=seconds)


def confirmed(x: Tensor, start: Tensor, threat: Threat, name: str) -> None:
    """Raises unless every image lies inside the ball around its start and inside the box."""
    if not torch.isfinite(x).all() or not inside(x, start, threat).all():
        distance = threat.distance(x, start).max()
        raise error(
            f"evaluation.{name}",
            f"the attack left the threat {threat}",
            given=f"distance {distance:.6g}, pixels {x.min():.4g} to {x.max():.4g}",
            remedy="project with threat.project before returning",
        )


def inside(x: Tensor, start: Tensor, threat: Threat) -> Tensor:
    """(B,) bool: which images `x` (B,C,H,W) lie in the box and in the ball, but for float32 rounding."""
    low, high = threat.box
    room = threat.eps * (1 + SLACK) + SLACK * (1 if threat.norm == "linf" else start[0].numel() ** 0.5)
    flat = x.flatten(1)
    return (threat.distance(x, start) <= room) & (flat.amin(1) >= low) & (flat.amax(1) <= high)


def images_for(net: nn.Module, data: Dataset[tuple[Tensor, int]], device: torch.device) -> Images:
    """The images of `data`, in memory and checked; labels must lie among the classes `net` answers with."""
    first = data[0][0]
    x = first if isinstance(first, Tensor) else None
    if x is None:
        return in_memory(data, classes=None, place="data")
    classes = logits_of(net, x[None].float().to(device)).shape[1]
    return in_memory(data, classes=classes, place="data")


def right_of(net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """(B,) bool: where `net` answers, in float32 and with finite logits, the class `y` (B,)."""
    with full_float32():
        logits = logits_of(net, x.float())
    return (logits.argmax(1) == y) & torch.isfinite(logits).all(1)
