"""How a network stands up to attacks, each outcome confirmed on the very tensor the attack left."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from advkd.config.entries import CLEAN, entry_names
from advkd.data.images import Images, check_box, checked, in_memory
from advkd.errors import at_least_one, error
from advkd.guards import outcome_of
from advkd.networks.device import undisturbed
from advkd.networks.modes import (
    answering_float32,
    buffers_kept,
    device_of,
    evaluating,
    full_float32,
    logits_of,
    misclassified,
)
from advkd.protocols import Evaluator
from advkd.result import Result
from advkd.streams import streams
from advkd.types import Threat


@undisturbed
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
    at_least_one(batch_size=batch_size)
    device = device_of(net)
    images, classes = images_for(net, data, device)
    check_box(images, threat)
    names = entry_names(attacks, classes)
    right: dict[str, list[Tensor]] = {CLEAN: []}
    seconds = dict.fromkeys(names.values(), 0.0)
    random = streams(seed)
    with evaluating(net), full_float32(), answering_float32(net):
        for index, rows in enumerate(torch.split(torch.arange(len(images)), batch_size)):
            batch = images.batch(rows).to(device)
            with buffers_kept(net):
                right[CLEAN].append(right_of(net, batch.x, batch.y).cpu())
            for key, name in names.items():
                begin = time.perf_counter()
                noise = random("evaluate", key, index)
                # the next attack, and the clean images of the next batch, meet the same network
                with buffers_kept(net):
                    outcome = outcome_of(attacks[key], f"evaluation.{name}", net, batch, threat, noise)
                    check_in_threat(outcome.x, batch.x, threat, name)
                    right.setdefault(name, []).append(right_of(net, outcome.x, batch.y).cpu())
                seconds[name] += time.perf_counter() - begin
    return Result(right={name: torch.cat(parts) for name, parts in right.items()}, seconds=seconds)


def check_in_threat(x: Tensor, start: Tensor, threat: Threat, name: str) -> None:
    """Raises unless every image lies inside the ball around its start and inside the box."""
    if not torch.isfinite(x).all() or not threat.holds(x, start).all():
        distance = threat.distance(x, start).max()
        raise error(
            f"evaluation.{name}",
            f"the attack left the threat {threat}",
            given=f"distance {distance:.6g}, pixels {x.min():.4g} to {x.max():.4g}",
            remedy="project with threat.project before returning",
        )


def images_for(net: nn.Module, data: Dataset[tuple[Tensor, int]], device: torch.device) -> tuple[Images, int]:
    """The images of `data`, in memory and checked, and how many classes `net` answers them with.

    Raises `AdvkdError` for labels that are not among these classes, and for a network that does not
    answer the first image with logits.
    """
    images = in_memory(data, classes=None, place="data")
    x = images.batch(torch.zeros(1, dtype=torch.long)).x.to(device)
    try:
        with buffers_kept(net):
            answer: Any = logits_of(net, x)
    # the network is somebody's code and fails in its own way
    except Exception as cause:
        problem = f"fails on an image {tuple(x.shape[1:])}: {type(cause).__name__}: {cause}"
        remedy = "it must take float32 images (B,C,H,W) in [0,1] and answer with logits (B,N)"
        raise error("model", problem, remedy=remedy) from cause
    if not isinstance(answer, Tensor) or answer.dim() != 2 or len(answer) != 1:
        shape = tuple(answer.shape) if isinstance(answer, Tensor) else type(answer).__name__
        given = f"{shape} for one image"
        remedy = "return one row of logits per image, nothing else"
        raise error("model", "does not answer with logits (B,N)", given=given, remedy=remedy)
    classes = answer.shape[1]
    return checked(images.x, images.y, classes, "data"), classes


def right_of(net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """(B,) bool: where `net` answers, in float32 and with finite logits, the class `y` (B,)."""
    with full_float32():
        return ~misclassified(logits_of(net, x.float()), y)
