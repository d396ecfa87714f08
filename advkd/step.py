"""The read-only surroundings of one training step."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from advkd.networks.modes import logits_of
from advkd.streams import Streams
from advkd.types import Batch, Path, Threat


@dataclass(frozen=True, kw_only=True)
class Step:
    """Networks by name, threat, random streams, epoch, step index, progress 0..1 through training.

    `clean` answers for a network and clean images where their logits (B,N) are known already. `weighed`
    is told the weights (T,B) of each term that covers a path, by `branch.term`.
    `said` caches the logits that views have computed, by path and then by network and point.
    """

    nets: Mapping[str, nn.Module]
    threat: Threat
    streams: Streams
    epoch: int = 0
    index: int = 0
    progress: float = 0.0
    clean: Callable[[str, Tensor], Tensor | None] = lambda net, x: None  # noqa: ARG005
    weighed: Callable[[str, Tensor], None] = lambda term, weights: None  # noqa: ARG005
    said: dict[Path, dict[tuple[str, int], Tensor]] = field(default_factory=dict, repr=False)
    _known: list[tuple[nn.Module, Tensor, Tensor]] = field(default_factory=list, repr=False)
    _parts: list[tuple[Tensor, Batch, slice]] = field(default_factory=list, repr=False)

    def generator(self, stream: str, *names: object) -> torch.Generator:
        """The generator of one purpose in this step."""
        return self.streams(stream, self.epoch, self.index, *names)

    def start_logits(self, net: str, x: Tensor) -> Tensor:
        """Eval-mode logits (B,N) of start images, forwarded once however many branches ask."""
        answer = self._told(net, x)
        if answer is None:
            answer = logits_of(self.nets[net], x)
            self._known.append((self.nets[net], x, answer))
        return answer

    def _told(self, net: str, x: Tensor) -> Tensor | None:
        """What is known without asking: of these images, or of a batch they are taken from."""
        for module, seen, answer in self._known:
            if module is self.nets[net] and _same(seen, x):
                return answer
        for some, batch, rows in self._parts:
            if _same(some, x) and (whole := self._told(net, batch.x)) is not None:
                return whole[rows]
        return self.clean(net, x)

    def some(self, batch: Batch, rows: slice) -> Batch:
        """The images of `batch` at `rows`; what is known of the whole batch is known of them."""
        part = Batch(batch.x[rows], batch.y[rows])
        if len(part.x) < len(batch.x):
            self._parts.append((part.x, batch, rows))
        return part

    def within(self, branch: str) -> Step:
        """The same step, whose generators belong to one branch."""
        return dataclasses.replace(self, streams=lambda *key: self.streams(*key, branch))

    def with_student(self, student: nn.Module) -> Step:
        """The same step with another student network (a branch with BatchNorm of its own)."""
        return dataclasses.replace(self, nets={**self.nets, "student": student})


def _same(one: Tensor, other: Tensor) -> bool:
    return one is other or torch.equal(one, other)
