"""The gate a teacher passes before a student learns from it."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from advkd.admission import admit, probable, without_programs
from advkd.errors import error
from advkd.evaluation import evaluate
from advkd.networks.modes import device_of, full_float32, logits_of
from advkd.splits import Splits
from advkd.types import Threat

log = logging.getLogger("advkd")

WRONG_INPUT = (
    "most likely the wrong normalisation: set mean and std of its model (teacher.model.mean=, "
    "model.mean= for what eval judges) to those it was trained with; "
    "else other data, other class order, or the wrong file"
)

SOME = 64
"""Images whose answers are looked at, before all are asked for."""

ROOM = 0.05
"""How far below its record a teacher's clean accuracy may be, beside sampling error."""


def admitted(
    net: nn.Module,
    splits: Splits,
    batch_size: int,
    *,
    record: Mapping[str, Any] | None = None,
    given: str = "the network passed as teacher",
    remedy: str = WRONG_INPUT,
) -> nn.Module:
    """The teacher, frozen and in eval mode; an error if it is near chance or far below its `record`."""
    some = splits.validation.subset(torch.arange(min(SOME, len(splits.validation))))
    without_programs(net, "teacher")
    net.requires_grad_(False).eval()
    with full_float32():
        admit(net, "teacher", some, splits.classes, batch_size, device_of(net))
        answer = logits_of(net, some.batch(torch.arange(len(some))).x.to(device_of(net)))
    if probable(answer):
        problem, remedy = "answers with probabilities, not logits", "leave out its softmax"
        raise error("teacher", problem, given=given, remedy=remedy)
    result = evaluate(net, splits.validation, Threat(eps=0.0), {}, batch_size=batch_size)
    clean, known = result.clean, (record or {}).get("clean")
    why, chance = "", guessing(splits.validation.y)
    right = f"right on {100 * clean:.1f} % of {result.n} clean validation images"
    if near_chance(clean, chance):
        why = f"near chance, {100 * chance:.0f} %"
    elif known is not None and short_of(known, clean, result.n):
        why = f"its record says {100 * known:.1f} %"
    if why:
        raise error("teacher", f"is {right}: {why}", given=given, remedy=remedy)
    if known is None:
        log.info("teacher, of whose accuracy there is no record: %s", right)
    return net


def guessing(y: Tensor) -> float:
    """The accuracy, on images of the classes `y` (N,), of always answering the commonest."""
    return float(torch.bincount(y).max()) / len(y)


def near_chance(clean: float, chance: float) -> bool:
    """Whether an accuracy could be that of guessing."""
    return clean < chance + 0.1 * (1 - chance)


def short_of(record: float, clean: float, n: int) -> bool:
    """Whether an accuracy on `n` images is further below its record than sampling explains."""
    return clean < record - ROOM - 2 * math.sqrt(max(clean * (1 - clean), 0.01) / n)
