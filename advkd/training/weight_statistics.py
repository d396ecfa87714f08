"""Where along their paths the terms of a training have put their weight."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass
class Weighed:
    """Running sums of the path weights of each term over one epoch, kept on the device."""

    sums: dict[str, Tensor] = field(default_factory=dict)
    steps: Counter[str] = field(default_factory=Counter)

    def __call__(self, term: str, weights: Tensor) -> None:
        """One step's weights (T,B) of a term."""
        # of a sample without weights no point counts, and 0/0 is left out
        counting = torch.nanmean(weights.sum(0) ** 2 / (weights**2).sum(0)).nan_to_num()
        self.sums[term] = self.sums.get(term, 0) + torch.cat([weights.mean(1), counting[None]])
        self.steps[term] += 1

    def means(self) -> Iterator[tuple[str, list[float], float]]:
        """By term: the mean weight of every point, and how many points count for a sample on average.

        The latter is (sum of weights)^2 / sum of squared weights: all of them if they weigh the same.
        """
        for term, total in self.sums.items():
            *points, counting = (total / self.steps[term]).tolist()
            yield term, points, counting
