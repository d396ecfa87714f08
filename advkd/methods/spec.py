"""The parts a `branches` method is written in: ascend, terms, branches."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from advkd.errors import error
from advkd.protocols import Attack, Loss, LossKind, PathSampler, Weighting, points_of
from advkd.targets import Target, parse
from advkd.types import Real

log = logging.getLogger("advkd")


def _matched(loss: Loss, target: Target, place: str) -> None:
    # a property answers on an object alone, which no look at its class has seen
    if loss.kind not in get_args(LossKind):
        problem = f"{type(loss).__name__} does not say what it is compared with"
        remedy = f"let its kind be one of {', '.join(get_args(LossKind))}"
        raise error(f"{place}.loss", problem, given=f"kind {loss.kind!r}", remedy=remedy)
    if loss.kind != target.kind:
        takes = "label or goal" if loss.kind == "label" else "what a network says, like teacher@start"
        raise error(f"{place}.target", f"this loss takes {takes}", given=target.text)


@dataclass(frozen=True, kw_only=True)
class Ascend:
    """What the attack of a branch increases: `loss` of the student against `target`.

    Targets: `label`, `goal`, `NET@start` (without gradient; the teacher in eval mode, the student in the mode
    it is attacked in) or `teacher@here` (the teacher at the attacked point, with gradient through both
    networks: AdaAD).
    """

    loss: Loss
    target: str = "label"

    def __post_init__(self) -> None:
        target = parse(self.target, "ascend.target")
        _matched(self.loss, target, "ascend")
        if target.point == "end" or (target.net == "student" and target.point == "here"):
            raise error(
                "ascend.target",
                "the end of a path is not known while it is walked"
                if target.point == "end"
                else "the student against itself at one point is always zero",
                given=self.target,
                remedy="write label, goal, NET@start or teacher@here",
            )


@dataclass(frozen=True, kw_only=True)
class Term:
    """One loss along a path: scale * mean over samples of sum over points of weight * loss.

    `normalise` acts once, after products: `none`, `per-sample` (weights sum to one over the points; an
    all-zero row stays zero), `per-batch` (by the mean of those sums over the batch: samples keep what they
    weigh beside each other), `per-batch-max` (each step index by its largest weight in the batch);
    `auto` is `per-sample` for a weighting that covers the path and `none` for one that names its points.
    A weighting that covers the path counts points 1..K, and the clean image too with `start: true`.
    `draw: M` draws M points per sample with replacement, in proportion to their weights, times
    sum(weights) / M: the same sum on average wherever no layer couples samples. `since` is the fraction
    of training before which the term is off. `detach: true` stops the gradient of a `student@` target.
    """

    loss: Loss
    target: str
    weight: Weighting
    scale: Real = 1.0
    normalise: Literal["auto", "none", "per-sample", "per-batch", "per-batch-max"] = "auto"
    draw: int | Literal["all"] = "all"
    since: Real = 0.0
    start: bool = False
    detach: bool = False

    def __post_init__(self) -> None:
        target = self.parsed
        _matched(self.loss, target, "term")
        if target.net == "student" and target.point == "here":
            raise error("term.target", "the student against itself at one point is zero", given=self.target)
        if self.draw != "all" and self.draw < 1:
            raise error("term.draw", "draws at least one point, or all", given=self.draw)
        if not 0 <= self.since < 1:
            raise error(
                "term.since",
                "a fraction of training, from 0 to below 1; later never starts",
                given=self.since,
            )
        if self.scale < 0:
            raise error("term.scale", "must not be negative", given=self.scale)

    @property
    def parsed(self) -> Target:
        """The target, parsed."""
        return parse(self.target, "term.target")

    @property
    def covers_path(self) -> bool:
        """Whether the weighting ranges over the path instead of naming its points."""
        steps = 5
        limit = points_of(self.weight, steps)
        return limit is None or len(limit) == steps


@dataclass(frozen=True, kw_only=True)
class Branch:
    """A path and the terms along it. `walk: away` increases the ascend loss, `toward` decreases it.

    Without an `attack` the path is the clean image alone.
    """

    path: PathSampler
    terms: Mapping[str, Term]
    attack: Attack | None = None
    ascend: Ascend | None = None
    walk: Literal["away", "toward"] = "away"
    scale: Real = 1.0

    def __post_init__(self) -> None:
        if (self.attack is None) != (self.ascend is None):
            raise error(
                "branch.attack", "an attack and what it ascends go together", remedy="set both or none"
            )
        if self.attack is None:
            for key, term in self.terms.items():
                if term.covers_path and not term.start:
                    says = "term %s trains nothing, as its branch has no attack: weight=end would"
                    log.warning(says, key)
        toward_goal = self.ascend is not None and self.ascend.target == "goal"
        asked = toward_goal or any(term.target == "goal" for term in self.terms.values())
        if asked and not getattr(self.path, "goals", True):
            raise error(
                "branch.path",
                "this path has no goal, which its attack or a term asks for",
                remedy="set path to targeted, or target to label",
            )
        if toward_goal != (self.walk == "toward"):
            raise error(
                "branch.walk",
                "the walk and its target do not agree",
                given=f"walk: {self.walk}, ascend.target: {self.ascend and self.ascend.target}",
                remedy="toward goes with the target goal, away with every other one",
            )
        if (
            self.ascend
            and self.ascend.target == "student@start"
            and getattr(self.attack, "init", "") == "none"
        ):
            raise error(
                "branch.attack",
                "begins at the image, where the student and its own answer there do not differ: no direction",
                given=type(self.attack).__name__,
                remedy="set attack to pgd with init gaussian, or choose another ascend.target",
            )
        if self.scale < 0:
            raise error("branch.scale", "must not be negative", given=self.scale)

    @property
    def nets(self) -> tuple[str, ...]:
        """The networks this branch asks."""
        targets = [term.parsed for term in self.terms.values()]
        if self.ascend is not None:
            targets.append(parse(self.ascend.target))
        members = [self.path, *(term.weight for term in self.terms.values())]
        found = [target.net for target in targets if target.net]
        found += [net for member in members for net in getattr(member, "nets", ())]
        return tuple(dict.fromkeys(found))
