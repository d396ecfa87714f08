"""A curriculum along the path: easy points first, hard ones later (`curriculum`)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from advkd.errors import error
from advkd.step import Step
from advkd.types import Real
from advkd.view import View
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class CurriculumWeighting:
    """A bell over the path; its centre moves from `first` to `last` during training.

    All three are fractions of the path; the centre moves evenly. A walk passes weak
    attacks on its way to a strong one, so a curriculum over attack strength costs no
    further walk. `first` above `last` starts with the hard points: the control for the
    order.

    Source: this distribution; the order is that of Cai et al., IJCAI 2018
    (arXiv 1805.04807), who make the attack itself longer as training goes on.
    """

    first: Real = 0.2
    last: Real = 1.0
    width: Real = 0.2

    def __post_init__(self) -> None:
        for name, value in (("first", self.first), ("last", self.last)):
            if not 0 <= value <= 1:
                raise error(name, "a fraction of the path, from 0 to 1", given=value)
        if self.width <= 0:
            raise error("width", "must be positive", given=self.width)

    def __call__(self, view: View, step: Step) -> Tensor:
        """(T,B) in (0,1], the same for every sample."""
        x = view.path.x
        centre = self.first + (self.last - self.first) * step.progress
        at = torch.arange(len(x), dtype=x.dtype, device=x.device) / max(len(x) - 1, 1)
        bell = torch.exp(-((at - centre) ** 2) / (2 * self.width**2))
        return bell[:, None].expand(-1, x.shape[1])
