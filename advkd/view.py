"""What the networks say along a path; each forward is made once, and only when asked for."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from advkd.errors import AdvkdError, unknown
from advkd.networks.modes import logits_of
from advkd.step import Step
from advkd.types import Path


class View:
    """Eval-mode logits without gradient, by network and point, for the weightings of a term.

    `points` are the indices that matter to the reader; `logits` forwards no others.
    """

    def __init__(self, path: Path, step: Step, points: Iterable[int] | None = None) -> None:
        self.path = path
        self.step = step
        self.points = tuple(range(len(path)) if points is None else sorted(points))
        self._known = step.said.setdefault(path, {("student", k): z for k, z in path.logits.items()})

    def only(self, points: Iterable[int]) -> View:
        """The same view for a reader to whom only `points` matter; forwards are shared."""
        return View(self.path, self.step, points)

    def at(self, net: str, k: int) -> Tensor:
        """Logits (B,N) of a network at point `k` (negative counts from the end)."""
        if net not in self.step.nets:
            remedy = 'a weighting names those it reads: nets: ClassVar[tuple[str, ...]] = ("teacher",)'
            raise AdvkdError(unknown("view", "network", net, self.step.nets, remedy))
        k %= len(self.path)
        if (net, k) not in self._known:
            x = self.path.x[k]
            self._known[net, k] = (
                self.step.start_logits(net, x) if k == 0 else logits_of(self.step.nets[net], x)
            )
        return self._known[net, k]

    def logits(self, net: str) -> Tensor:
        """Logits (T,B,N) at `points`; zeros at all others, which no weight is read from."""
        rows = {k: self.at(net, k) for k in self.points}
        blank = torch.zeros_like(next(iter(rows.values())))
        return torch.stack([rows.get(k, blank) for k in range(len(self.path))])
