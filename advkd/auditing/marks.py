"""What tells networks apart: their layers, every number in them, and what they answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from advkd.fingerprints import fingerprint
from advkd.networks.modes import buffers_kept, logits_of

ASKED = 16
"""Images whose logits belong to a mark."""

CLOSE = 1e-3
"""Difference of logits, as a share of the largest, that another machine or batch may make."""


@dataclass(frozen=True)
class Mark:
    """Of one network: the `digits` of its fingerprint and its `answers` (B,N) to a few images.

    What `forward` does and plain attributes are in no state, so only answers show that they changed.
    There are none of a network that answers the same images differently, nor in files without them.
    """

    digits: str
    answers: list[list[float]] | None = None

    @classmethod
    def of(cls, about: Any) -> Mark:
        """From what is written down; older files hold the digits alone."""
        return cls(**about) if isinstance(about, Mapping) else cls(about)

    def fits(self, other: Mark) -> bool:
        """Whether both are of one network, by all that is known."""
        if self.digits != other.digits:
            return False
        if self.answers is None or other.answers is None:
            return True
        # a batch that was found from the memory there was may have held fewer images
        n = min(len(self.answers), len(other.answers))
        mine, others = torch.tensor(self.answers[:n]), torch.tensor(other.answers[:n])
        return mine.shape == others.shape and close(mine, others)

    @property
    def about(self) -> dict[str, Any]:
        """As it is written down."""
        return {"digits": self.digits, "answers": self.answers}


def marked(nets: Mapping[str, nn.Module], x: Tensor) -> dict[str, Mark]:
    """The marks of networks by name, from their answers to the first `ASKED` of the images `x` (B,C,H,W)."""
    marks = {net: _mark(net, x[:ASKED]) for net in dict.fromkeys(nets.values())}
    return {name: marks[net] for name, net in nets.items()}


def _mark(net: nn.Module, x: Tensor) -> Mark:
    with buffers_kept(net):
        first, second = (logits_of(net, x).float().cpu() for _ in range(2))
    return Mark(fingerprint(net), first.tolist() if close(first, second) else None)


def close(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors differ by no more than another machine or batch may make."""
    return bool((a - b).abs().max() <= CLOSE * torch.maximum(a.abs().max(), b.abs().max()))
