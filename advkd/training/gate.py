"""The gate a teacher passes before a student learns from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import nn

from advkd.errors import error
from advkd.evaluation import evaluate
from advkd.splits import Splits
from advkd.types import Threat

WRONG_INPUT = (
    "most likely the wrong normalisation: set mean and std of its model (teacher.model.mean=, "
    "model.mean= for what eval judges) to those it was trained with; "
    "else other data, other class order, or the wrong file"
)

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
    net.requires_grad_(False).eval()
    result = evaluate(net, splits.validation, Threat(eps=0.0), {}, batch_size=batch_size)
    clean, known = result.clean, (record or {}).get("clean")
    why = ""
    if near_chance(clean, splits.classes):
        why = f"near chance, {100 / splits.classes:.0f} %"
    elif known is not None and short_of(known, clean, result.n):
        why = f"its record says {100 * known:.1f} %"
    if why:
        problem = f"is right on {100 * clean:.1f} % of {result.n} clean validation images: {why}"
        raise error("teacher", problem, given=given, remedy=remedy)
    return net


def near_chance(clean: float, classes: int) -> bool:
    """Whether an accuracy could be that of guessing."""
    return clean < 1 / classes + 0.1 * (1 - 1 / classes)


def short_of(record: float, clean: float, n: int) -> bool:
    """Whether an accuracy on `n` images is further below its record than sampling explains."""
    return clean < record - ROOM - 2 * math.sqrt(max(clean * (1 - clean), 0.01) / n)
