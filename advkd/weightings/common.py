"""What several weightings share: whose answer they weigh by, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from advkd.types import Path

Net = Literal["student", "teacher"]


@dataclass(frozen=True, kw_only=True)
class OneNet:
    """A weighting that reads the answers of one network, `net`."""

    net: Net = "student"

    @property
    def nets(self) -> tuple[str, ...]:
        """The network it reads."""
        return (self.net,)


def of_class(values: Tensor, classes: Tensor) -> Tensor:
    """Entries of `values` (T,B,N) at `classes` (B,): (T,B)."""
    return values.gather(2, classes.expand(len(values), -1)[..., None]).squeeze(2)


def margins(logits: Tensor, path: Path) -> Tensor:
    """Probability margin (T,B) in [-1,1] of the true class over its rival; logits (T,B,N).

    The rival is the goal on a path that has one, the likeliest other class elsewhere.
    """
    p = logits.softmax(2)
    if path.goal is not None:
        return of_class(p, path.y) - of_class(p, path.goal)
    rivals = p.scatter(2, path.y.expand(len(p), -1)[..., None], float("-inf"))
    return of_class(p, path.y) - rivals.amax(2)
