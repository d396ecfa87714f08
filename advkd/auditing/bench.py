"""One attack on one network: chunk by chunk, watched, confirmed in float32, remembered."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from advkd.auditing.ledger import Ledger, LedgerEntry, Progress
from advkd.data.images import Images
from advkd.errors import AdvkdError, error
from advkd.evaluation import check_in_threat, right_of
from advkd.guards import outcome_of
from advkd.networks.cost import Cost
from advkd.networks.modes import answering_float32, buffers_kept, evaluating, logits_of, misclassified
from advkd.outcome import Outcome
from advkd.protocols import Evaluator
from advkd.registry.blame import blamed
from advkd.streams import streams
from advkd.types import Batch, Threat, silent


class OutOfTime(Exception):  # noqa: N818
    """The budget of an audit has run out; what was finished stands."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What all attacks of an audit share.

    `nets` are the further networks evaluators may ask; `searched` gives the fast twin of a network, `refused`
    says why some have none.
    """

    images: Images
    threat: Threat
    ledger: Ledger
    batch_size: int
    nets: Mapping[str, nn.Module] = field(default_factory=dict)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    seed: int = 0
    deadline: float | None = None
    keep_images: bool = False
    searched: Callable[[nn.Module], nn.Module] = lambda net: net
    refused: Mapping[nn.Module, str] = field(default_factory=dict)
    report: Progress = silent

    def attack(
        self,
        who: str,
        net: nn.Module,
        name: str,
        evaluator: Evaluator,
        rows: Tensor,
        *,
        threat: Threat | None = None,
        stream: str = "",
    ) -> LedgerEntry:
        """The entry of `evaluator` on the examples `rows` (sorted), from where an earlier audit stopped.

        `stream` names the noise; attacks of one stream start from the same. Raises `OutOfTime`, and
        `AdvkdError` for an attack that leaves the threat and a network that fails.
        """
        entry = self.ledger.entry(who, name)
        if entry.done:
            return entry
        size = max(len(rows), 1) if getattr(evaluator, "whole", False) else self.batch_size
        for index, part in enumerate(torch.split(rows, size)):
            if not entry.tried[part].all():
                generator = streams(self.seed)("evaluate", stream or name, index)
                call = _Call(self, who, net, name, evaluator, threat or self.threat, generator, stream)
                call(part, entry, index)
                self.ledger.save()
        entry.done = True
        self.ledger.save()
        self.ledger.forget(who, name, "batch-")
        self.report(who, name, entry)
        return entry

    def batch(self, rows: Tensor) -> Batch:
        """Examples on the device, in float32."""
        return self.images.batch(rows).to(self.device)

    def alike(self, one: nn.Module, other: nn.Module) -> float:
        """The share of the images on which two networks give the same answer."""
        parts = torch.split(torch.arange(len(self.images)), self.batch_size)
        same = [
            logits_of(one, x).argmax(1) == logits_of(other, x).argmax(1) for x in map(self._images, parts)
        ]
        return torch.cat(same).cpu().double().mean().item()

    def _images(self, rows: Tensor) -> Tensor:
        return self.batch(rows).x


@dataclass(frozen=True)
class _Call:
    bench: Bench
    who: str
    net: nn.Module
    name: str
    evaluator: Evaluator
    threat: Threat
    generator: torch.Generator
    stream: str

    def __call__(self, rows: Tensor, entry: LedgerEntry, index: int) -> None:
        """Attacks the examples `rows` and writes what became of them into `entry`."""
        with buffers_kept(*self._asked()):
            self._judge(rows, entry, index)

    def _asked(self) -> Iterator[nn.Module]:
        """Every network the attack may ask, and those on which it searches in their place."""
        search, others = self._search(), self.bench.nets.values()
        yield from (self.net, search, *others)
        if search is not self.net and "nets" in self._taken:
            yield from map(self.bench.searched, others)

    @property
    def _taken(self) -> Mapping[str, inspect.Parameter]:
        return inspect.signature(self.evaluator.__call__).parameters

    @property
    def _exact(self) -> bool:
        return bool(getattr(self.evaluator, "exact", self.evaluator.kind == "minimal-norm"))

    def _search(self) -> nn.Module:
        return self.net if self._exact else self.bench.searched(self.net)

    def _judge(self, rows: Tensor, entry: LedgerEntry, index: int) -> None:
        batch, begin = self.bench.batch(rows), time.perf_counter()
        search = self._search()
        x, seen = self._attacked(search, batch, rows, entry)
        entry.refused = "" if self._exact else self.bench.refused.get(search, "")
        right = self._right(x, batch.y)
        if search is not self.net:
            # success on the twin alone is none: these are attacked again, on the judged network itself
            again = right & misclassified(self._in_pieces(partial(logits_of, search), x), batch.y)
            if again.any():
                part = Batch(batch.x[again], batch.y[again])
                # an evaluator may have answered with the batch itself
                x = x.clone()
                x[again], seen[again] = self._attacked(self.net, part, rows[again.cpu()], entry, "-again")
                right = self._right(x, batch.y)
                entry.again += int(again.sum())
        entry.tried[rows], entry.right[rows] = True, right.cpu()
        entry.distance[rows] = self.threat.distance(x, batch.x).cpu()
        entry.seconds += time.perf_counter() - begin
        entry.silent += int((seen & right & self._right_when_clean(rows).to(right.device)).sum())
        if self.bench.keep_images and not self.stream:
            self.bench.ledger.memo(self.who, self.name)(f"images-{index:06}", lambda: x.cpu())

    def _right(self, x: Tensor, y: Tensor) -> Tensor:
        return self._in_pieces(partial(right_of, self.net), x, y)

    def _in_pieces(self, ask: Callable[..., Tensor], *of: Tensor) -> Tensor:
        """The answers of a network; a suite of others attacks more images at once than it may hold."""
        parts = zip(*(torch.split(tensor, self.bench.batch_size) for tensor in of), strict=True)
        return torch.cat([ask(*part) for part in parts])

    def _attacked(
        self, net: nn.Module, batch: Batch, rows: Tensor, entry: LedgerEntry, suffix: str = ""
    ) -> tuple[Tensor, Tensor]:
        """The attacked images, inside the threat, and (B,) bool: seen to be misclassified on the way."""
        cost = Cost({"net": net})
        watched = self._watched(net, batch)
        with (
            _failing(self.name, self.evaluator, rows),
            cost.counting(),
            answering_float32(net),
            # an attack of somebody else may ask the network as it stands
            evaluating(net),
            watched as seen,
        ):
            outcome = self._outcome(net, batch, suffix)
        x = outcome.x.detach().to(batch.x).float()
        check_in_threat(x, batch.x, self.threat, self.name)
        entry.forwards += cost.passes["net_forwards"]
        entry.backwards += cost.passes["net_backwards"]
        entry.notes += [note for note in outcome.notes if note not in entry.notes]
        return x, seen

    def _right_when_clean(self, rows: Tensor) -> Tensor:
        """(B,) bool; an image that is wrong as it is needs no attack to be."""
        clean = self.bench.ledger.of(self.who).get("clean")
        return torch.zeros(len(rows), dtype=torch.bool) if clean is None else clean.right[rows]

    def _outcome(self, net: nn.Module, batch: Batch, suffix: str) -> Outcome:
        if self.threat.eps == 0:
            return Outcome(batch.x)
        memo = self.bench.ledger.memo(self.who, self.name)
        others = self.bench.nets
        offered: dict[str, Any] = {
            "nets": others if net is self.net else {k: self.bench.searched(v) for k, v in others.items()},
            "memo": lambda key, compute: memo(key + suffix, compute),
        }
        extra = {key: value for key, value in offered.items() if key in self._taken}
        place = f"evaluators.{self.name}"
        return outcome_of(self.evaluator, place, net, batch, self.threat, self.generator, **extra)

    @contextmanager
    def _watched(self, net: nn.Module, batch: Batch) -> Iterator[Tensor]:
        """(B,) bool, set where the network was seen to fail inside the threat; ends in time."""
        seen = torch.zeros_like(batch.y, dtype=torch.bool)
        deadline = self.bench.deadline

        def look(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:  # noqa: ARG001
            if deadline is not None and time.monotonic() > deadline:
                raise OutOfTime
            x = args[0].detach()
            if x.shape == batch.x.shape:
                wrong = misclassified(output.detach(), batch.y)
                seen.logical_or_(wrong & self.threat.holds(x, batch.x))

        handle = net.register_forward_hook(look)
        try:
            yield seen
        finally:
            handle.remove()


@contextmanager
def _failing(name: str, evaluator: Evaluator, rows: Tensor) -> Iterator[None]:
    """Says on which examples foreign code failed."""
    try:
        yield
    except (AdvkdError, OutOfTime):
        raise
    except Exception as cause:
        told = blamed(cause)
        remedy = "repair the model or drop the attack; only the same command reuses finished attacks"
        if isinstance(cause, torch.OutOfMemoryError):
            size = f"evaluators.{name}.batch_size" if hasattr(evaluator, "batch_size") else "batch_size"
            remedy = f"write a smaller {size}=, which begins a new audit: noise is drawn batch by batch"
        raise error(
            f"evaluators.{name}",
            f"failed on the examples {int(rows[0])} to {int(rows[-1])}: {type(cause).__name__}: {cause}",
            given=told.problems[0].given if told else name,
            remedy=remedy,
        ) from cause
