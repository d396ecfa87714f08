"""What an evaluator hands back for one batch."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Outcome:
    """The images (B,C,H,W) an evaluator ends with; the caller confirms what they do to the network.

    `notes` are sentences a reader of the number has to know.
    """

    x: Tensor
    notes: tuple[str, ...] = ()
