"""Where along their paths the terms of a training have put their weight."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from torch import Tensor


@dataclass
class Weighed:
    """What the terms of an epoch have weighed their paths by; summed where it was computed."""

    sums: dict[str, Tensor] = field(default_factory=dict)
    steps: Counter[str] = field(default_factory=Counter)

    def __call__(self, term: str, weights: Tensor) -> None:
        """One step's mean weight of every point (T,) of a term."""
        self.sums[term] = self.sums.get(term, 0) + weights
        self.steps[term] += 1

    def means(self) -> Iterator[tuple[str, list[float]]]:
        """The mean weight of every point, by term."""
        for term, total in self.sums.items():
            yield term, (total / self.steps[term]).tolist()
