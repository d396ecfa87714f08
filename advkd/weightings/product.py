"""The product of two weightings (`product`)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from advkd.protocols import Weighting, points_of
from advkd.step import Step
from advkd.view import View


@dataclass(frozen=True, kw_only=True)
class Product:
    """`left` times `right`, multiplied raw: the term normalises once, afterwards.

    It limits itself to the points that both factors can reach.
    """

    left: Weighting
    right: Weighting

    @property
    def nets(self) -> tuple[str, ...]:
        """What either factor reads."""
        found = [*getattr(self.left, "nets", ()), *getattr(self.right, "nets", ())]
        return tuple(dict.fromkeys(found))

    def points(self, t: int) -> tuple[int, ...]:
        """The points both factors can reach."""
        limits = [points_of(factor, t) for factor in (self.left, self.right)]
        chosen = set(range(t))
        for limit in limits:
            chosen &= set(range(t) if limit is None else limit)
        return tuple(sorted(chosen))

    def __call__(self, view: View, step: Step) -> Tensor:
        """(T,B)."""
        inside = view.only(set(self.points(len(view.path))) & set(view.points))
        return self.left(inside, step) * self.right(inside, step)
