"""Which networks of an audit are one and the same, and through which no gradient passes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from advkd.auditing.marks import Mark, close
from advkd.auditing.probe import gradient, parts
from advkd.types import Batch


class Likeness:
    """The networks of an audit by the names of their marks; `some` images are asked for gradients, once."""

    def __init__(
        self, nets: Mapping[str, nn.Module], marks: Mapping[str, Any], some: Batch, batch_size: int
    ) -> None:
        self.nets, self.parts = nets, parts(some, batch_size)
        self.marks = {name: Mark.of(about) for name, about in marks.items()}
        self.gradients: dict[nn.Module, Tensor | None] = {}

    def same(self, one: str, other: str) -> bool:
        """Whether two names are of one network: one object, or equal numbers, answers and gradients.

        A network that lets gradients pass where the other has none answers alike, and is another.
        """
        mine, others = self.marks[one], self.marks[other]
        if self.nets[one] is self.nets[other] or mine.answers is None or not mine.fits(others):
            return self.nets[one] is self.nets[other]
        first, second = self._gradient(one), self._gradient(other)
        return first is second if first is None or second is None else close(first, second)

    def blind(self, name: str) -> bool:
        """Whether no gradient reaches the image through a network."""
        return self._gradient(name) is None

    def _gradient(self, name: str) -> Tensor | None:
        net = self.nets[name]
        if net not in self.gradients:
            found = gradient(net, name, self.parts, "margin")
            self.gradients[net] = None if found is None else found[1]
        return self.gradients[net]
