"""The train-mode forwards of a step, one at a time, each turned into a scalar to backpropagate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from advkd.guards import check_loss
from advkd.methods.point_weights import Drawn, drawn, weights_of
from advkd.methods.spec import Term
from advkd.networks.modes import logits_of, momentum_over
from advkd.protocols import Parts
from advkd.step import Step
from advkd.types import Path
from advkd.view import View


@dataclass(frozen=True)
class Share:
    """What one term takes from one forward: `weight` (B,) already scaled."""

    name: str
    term: Term
    weight: Tensor


@dataclass
class Forward:
    """One train-mode forward of images `x` (B,C,H,W), at point `k` of the path unless drawn."""

    x: Tensor
    k: int | None
    shares: list[Share] = field(default_factory=list)


@dataclass
class Stream:
    """All forwards of one branch in one step; `terms` maps a name to a term and its whole scale."""

    path: Path
    step: Step
    student: nn.Module
    terms: dict[str, tuple[Term, float]]
    forwards: list[Forward] = field(default_factory=list)
    anchors: dict[int, Forward] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.view = View(self.path, self.step)
        self._live: dict[int, Tensor] = {}
        self._leaf: dict[int, Tensor] = {}
        for name, (term, scale) in self.terms.items():
            weights = weights_of(term, self.view, self.step, name)
            if term.covers_path:
                self.step.weighed(name, weights)
            weights = weights * scale
            if term.draw == "all":
                self._fixed(name, term, weights)
            elif weights.any():
                self._draws(name, term, drawn(weights, term.draw, self.step.generator("draw", name)))
        self.anchors = {f.k: f for f in self.forwards if f.k in self._anchor_points()}

    def _fixed(self, name: str, term: Term, weights: Tensor) -> None:
        for k, counts in enumerate(weights.any(1).tolist()):
            if counts:
                self._at(k).shares.append(Share(name, term, weights[k]))
        if term.parsed.net == "student" and weights.any():
            self._at(self._point(term))

    def _draws(self, name: str, term: Term, draw: Drawn) -> None:
        samples = torch.arange(draw.k.shape[1], device=draw.k.device)
        for k in draw.k:
            self.forwards.append(Forward(self.path.x[k, samples], None, [Share(name, term, draw.factor)]))
        if term.parsed.net == "student":
            self._at(self._point(term))

    def _at(self, k: int) -> Forward:
        for forward in self.forwards:
            if forward.k == k:
                return forward
        self.forwards.append(Forward(self.path.x[k], k))
        return self.forwards[-1]

    def _point(self, term: Term) -> int:
        return 0 if term.parsed.point == "start" else len(self.path) - 1

    def _anchor_points(self) -> set[int]:
        shares = [share for forward in self.forwards for share in forward.shares]
        return {self._point(share.term) for share in shares if share.term.parsed.net == "student"}

    def scalars(self, momentum_parts: int) -> Iterator[tuple[Tensor, Parts]]:
        """The scalars of this branch; BatchNorm momentum is divided by `momentum_parts`."""
        for k, forward in self.anchors.items():
            self._live[k] = self._logits(forward, momentum_parts)
            self._leaf[k] = self._live[k].detach().requires_grad_()
        for forward in self.forwards:
            if forward.k not in self.anchors:
                parts: dict[str, Tensor] = {}
                logits = self._logits(forward, momentum_parts)
                yield self._loss(forward, logits, self._leaf, parts), parts
        if self.anchors:
            last = self._last()
            # a detached anchor without a term of its own has nothing to give back
            if last[0].requires_grad:
                yield last

    def _last(self) -> tuple[Tensor, Parts]:
        """The anchors' own terms, and the gradient other points have left in their leaves."""
        parts: dict[str, Tensor] = {}
        total: Tensor = next(iter(self._live.values())).new_zeros(())
        for k, forward in self.anchors.items():
            live, grad = self._live[k], self._leaf[k].grad
            total = total + self._loss(forward, live, self._live, parts)
            if grad is not None:
                # worth zero: it carries the gradient only
                total = total + ((live - live.detach()) * grad).sum()
        return total, parts

    def _logits(self, forward: Forward, momentum_parts: int) -> Tensor:
        with momentum_over(self.student, momentum_parts):
            logits: Tensor = self.student(forward.x)
        return logits

    def _loss(
        self, forward: Forward, logits: Tensor, anchors: dict[int, Tensor], parts: dict[str, Tensor]
    ) -> Tensor:
        total = logits.new_zeros(())
        for share in forward.shares:
            target = self._target(share.term, forward, anchors)
            each = share.term.loss(logits, target)
            check_loss(each, logits, f"{share.name}.loss ({type(share.term.loss).__name__})")
            value = (share.weight * each).mean()
            total = total + value
            parts[share.name] = parts.get(share.name, 0) + value.detach()
        return total

    def _target(self, term: Term, forward: Forward, anchors: dict[int, Tensor]) -> Tensor:
        target = term.parsed
        if target.text == "label":
            return self.path.y
        if target.text == "goal":
            assert self.path.goal is not None
            return self.path.goal
        if target.net == "student":
            said = anchors[self._point(term)]
            return said.detach() if term.detach else said
        if target.point == "here" and forward.k is None:
            return logits_of(self.step.nets[target.net], forward.x)
        points = {"start": 0, "end": -1, "here": forward.k}
        return self.view.at(target.net, points[target.point] or 0)
