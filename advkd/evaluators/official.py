"""The four attacks of the official AutoAttack code, one by one (`apgd-ce apgd-t fab-t square`)."""

from __future__ import annotations

import warnings
import weakref
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from advkd.errors import at_least_one, error
from advkd.networks.isolation import isolated
from advkd.networks.modes import classes_of
from advkd.outcome import Outcome
from advkd.protocols import Kind, Knowledge, Passes
from advkd.streams import drawn
from advkd.types import Batch, Threat

NORMS = {"linf": "Linf", "l2": "L2"}
TIE = 1e-12
"""The margin of two equal logits: not lost yet."""

TARGETS = 9
"""How many wrong classes the standard suite aims at, where there are as many."""


def common(threat: Threat, seed: int, device: torch.device) -> dict[str, Any]:
    """What all constructors of the official code take; an error for pixels outside [0,1]."""
    if threat.box != (0.0, 1.0):
        problem = "the official AutoAttack code takes pixels in [0,1] only"
        raise error("threat.box", problem, given=threat.box, remedy="set threat.box to [0,1]")
    return {"norm": NORMS[threat.norm], "eps": threat.eps, "seed": seed, "device": device}


def perturbed(attack: Any, net: nn.Module, batch: Batch, seed: int) -> Outcome:
    """What an attack of the official code makes of a batch; nothing of its run stays behind."""
    with isolated(net, seed), torch.no_grad(), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        x = attack.perturb(batch.x.clone(), batch.y.clone()).detach()
    return Outcome(x, tuple(dict.fromkeys(without_link(str(warning.message)) for warning in said)))


def without_link(text: str) -> str:
    """A warning of the official code without the file it refers to, which is not installed."""
    return text.replace(" See flags_doc.md for details.", "")


def startable(square: Any, x: Tensor) -> tuple[str, ...]:
    """Lets Square of the official code start on any images `x` (B,C,H,W); what a reader has to know of it.

    Under l2 it first tiles the image, and fails where the tiles do not fit. There it gets a canvas they
    do fit, of which the network sees the image alone; what it changes beside the image is lost to it.
    """
    height, width = x.shape[2:]
    if square.norm != "L2" or _tiled(height, width):
        return ()
    more = next(more for more in count(1) if _tiled(height + more, width + more))
    net, run = square.predict, square.attack_single_run

    def predict(x: Tensor) -> Any:
        return net(x[..., :height, :width].contiguous())

    def attack_single_run(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        queries, found = run(F.pad(x, (0, more, 0, more)), y)
        return queries, found[..., :height, :width].contiguous()

    square.predict, square.attack_single_run = predict, attack_single_run
    canvas = f"{height + more}x{width + more}"
    return (f"square under l2 on a canvas of {canvas}: the official code fails on {height}x{width}",)


def untied(square: Any) -> None:
    """Lets Square of the official code go on where the class of an image ties with another.

    It stops there, and counts no success where the tie is still answered right: of many equal logits, as
    in low precision, examples would be lost.
    """
    asked = type(square).margin_and_loss
    # a reference in a circle would hold the network until the collector runs
    own = weakref.proxy(square)

    def margin_and_loss(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        margin, loss = asked(own, x, y)
        return torch.where(margin == 0, TIE, margin), torch.where(loss == 0, TIE, loss)

    square.margin_and_loss = margin_and_loss


def _tiled(height: int, width: int) -> bool:
    """Whether the first tiles of the official code lie inside the image."""
    side = height // 5
    if side < 2:
        return side == 1
    return all((height - 5 * side) // 2 + of // side * side <= of for of in (height, width))


@dataclass(frozen=True, kw_only=True)
class APGDCE:
    """Auto-PGD on cross-entropy, by the official code. Source: Croce, Hein, ICML 2020 (arXiv 2003.01690)."""

    steps: int = 100
    restarts: int = 1

    kind: ClassVar[Kind] = "fixed-budget"
    knowledge: ClassVar[Knowledge] = "white-box"

    def __post_init__(self) -> None:
        at_least_one(steps=self.steps, restarts=self.restarts)

    def passes(self, classes: int) -> Passes:  # noqa: ARG002
        """Forward and backward passes an image costs at most."""
        return self.restarts * (self.steps + 1) + 1, self.restarts * (self.steps + 1)

    def __call__(self, net: nn.Module, batch: Batch, threat: Threat, generator: torch.Generator) -> Outcome:
        """The attacked images."""
        from pyautoattack.autopgd_base import APGDAttack

        seed = drawn(generator)
        options = common(threat, seed, batch.x.device)
        attack = APGDAttack(net, n_iter=self.steps, n_restarts=self.restarts, loss="ce", **options)
        return perturbed(attack, net, batch, seed)


@dataclass(frozen=True, kw_only=True)
class APGDT:
    """Auto-PGD on the targeted DLR loss, toward each of the likeliest wrong classes in turn.

    The loss divides by the spread of the four largest logits. With fewer than four classes the plain
    difference is taken, since its ratio to the spread of all is constant toward the class that is least
    likely: that is ours, the official code fails there. Source: Croce, Hein, ICML 2020 (arXiv 2003.01690).
    """

    steps: int = 100
    targets: int = TARGETS

    kind: ClassVar[Kind] = "fixed-budget"
    knowledge: ClassVar[Knowledge] = "white-box"

    def __post_init__(self) -> None:
        at_least_one(steps=self.steps, targets=self.targets)

    def passes(self, classes: int) -> Passes:
        """Forward and backward passes an image costs at most."""
        targets = min(self.targets, classes - 1)
        return targets * (self.steps + 2) + 2, targets * (self.steps + 1)

    def __call__(self, net: nn.Module, batch: Batch, threat: Threat, generator: torch.Generator) -> Outcome:
        """The attacked images."""
        from pyautoattack.autopgd_base import APGDAttack_targeted

        class FewClasses(APGDAttack_targeted):  # type: ignore[misc]
            def dlr_loss_targeted(self, x: Tensor, y: Tensor) -> Tensor:
                rows = torch.arange(len(x), device=x.device)
                return x[rows, self.y_target] - x[rows, y]

        seed, classes = drawn(generator), classes_of(net, batch.x)
        attack = (FewClasses if classes < 4 else APGDAttack_targeted)(
            net,
            n_iter=self.steps,
            n_target_classes=min(self.targets, classes - 1),
            **common(threat, seed, batch.x.device),
        )
        return perturbed(attack, net, batch, seed)


@dataclass(frozen=True, kw_only=True)
class FABT:
    """Fast Adaptive Boundary toward the likeliest wrong classes; counts where it ends within eps.

    Source: Croce, Hein, ICML 2020 (arXiv 1907.02044).
    """

    steps: int = 100
    targets: int = TARGETS

    kind: ClassVar[Kind] = "minimal-norm"
    knowledge: ClassVar[Knowledge] = "white-box"

    def __post_init__(self) -> None:
        at_least_one(steps=self.steps, targets=self.targets)

    def passes(self, classes: int) -> Passes:
        """Forward and backward passes an image costs at most."""
        targets = min(self.targets, classes - 1)
        return targets * (2 * self.steps + 4), targets * self.steps

    def __call__(self, net: nn.Module, batch: Batch, threat: Threat, generator: torch.Generator) -> Outcome:
        """The attacked images."""
        from pyautoattack.fab_pt import FABAttack_PT

        seed = drawn(generator)
        targets = min(self.targets, classes_of(net, batch.x) - 1)
        options = common(threat, seed, batch.x.device)
        attack = FABAttack_PT(net, n_iter=self.steps, targeted=True, n_target_classes=targets, **options)
        return perturbed(attack, net, batch, seed)


@dataclass(frozen=True, kw_only=True)
class Square:
    """Random search with squares: asks for logits only, needs no gradient.

    Source: Andriushchenko, Croce, Flammarion, Hein, ECCV 2020 (arXiv 1912.00049), on the margin. The
    official code stops at a margin of zero also where that is still answered right; here it goes on.
    """

    queries: int = 5000

    kind: ClassVar[Kind] = "fixed-budget"
    knowledge: ClassVar[Knowledge] = "black-box"

    def __post_init__(self) -> None:
        at_least_one(queries=self.queries)

    def passes(self, classes: int) -> Passes:  # noqa: ARG002
        """Forward and backward passes an image costs at most."""
        return self.queries + 3, 0

    def __call__(self, net: nn.Module, batch: Batch, threat: Threat, generator: torch.Generator) -> Outcome:
        """The attacked images."""
        from pyautoattack.square import SquareAttack

        seed = drawn(generator)
        options = common(threat, seed, batch.x.device)
        attack = SquareAttack(net, n_queries=self.queries, resc_schedule=False, **options)
        untied(attack)
        notes = startable(attack, batch.x)
        outcome = perturbed(attack, net, batch, seed)
        return replace(outcome, notes=(*notes, *outcome.notes))
