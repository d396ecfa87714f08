"""The contracts between the sum and its members; each slot of the registry holds one kind.

Members are frozen dataclasses: their fields are their options, `__call__` is what they do. What each kind
promises is in `advkd.testing`, as checks. A member that breaks one knowingly says why in `excepted`, a
mapping from the name of the check to its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Literal, Protocol

import torch
from torch import Tensor, nn

from advkd.types import Batch, Path, Record, Shape, Threat

if TYPE_CHECKING:
    from torch.utils.data import Dataset

    from advkd.outcome import Outcome
    from advkd.step import Step
    from advkd.view import View

Kind = Literal["fixed-budget", "minimal-norm"]
"""Whether an evaluator searches inside the threat, or for the nearest error, which may lie outside."""

Knowledge = Literal["white-box", "black-box"]
"""Whether an evaluator uses gradients of the network it judges."""

LossKind = Literal["label", "divergence"]
"""What a loss compares logits with."""

Passes = tuple[int, int]
"""Forward and backward passes."""

Memo = Callable[[str, Callable[[], Tensor]], Tensor]
"""Answers a key with what was computed under it before, else computes and remembers it."""

Objective = Callable[[Tensor], Tensor]
"""What an attack increases: images (B,C,H,W) to one number each, (B,)."""

Parts = Mapping[str, Tensor]
"""What a scalar of a method is made of; the values of all parts of a step sum to its loss."""

Gradient = Callable[[], Mapping[str, Tensor]]
"""The gradient of the loss of a step at the weights as they are, by parameter of the student.

It costs what the losses of a step cost. Gradients, buffers and random state are left as found.
"""


class Attack(Protocol):
    """Yields the start, then one point per step, each inside the threat. Does not modify its inputs.

    It asks the objective about images inside the threat only.

    Optional `norms` names the norms it walks in (all, if it says nothing); it refuses the others.
    """

    def __call__(
        self, objective: Objective, start: Tensor, threat: Threat, generator: torch.Generator
    ) -> Iterator[Tensor]:
        """Increase `objective` from `start` (B,C,H,W)."""


class Walk(Protocol):
    """Runs the attack of a branch."""

    def __call__(self, x: Tensor, y: Tensor, goal: Tensor | None = None) -> Path:
        """The path of the images `x` of class `y`, toward `goal` where one is given."""


class PathSampler(Protocol):
    """Decides which images of a batch walk, and where to; None skips the branch for this batch."""

    def __call__(self, walk: Walk, batch: Batch, step: Step) -> Path | None:
        """One path, made with `walk`."""


class Weighting(Protocol):
    """Raw weights of the points of a path: (T,B), finite, not negative, without gradient.

    Optional `points(T)` names the indices that can be non-zero; without it the weights cover the path
    and are normalised per sample. Optional `nets` names the networks it reads besides the student, as a
    ClassVar or a property: `nets: ClassVar[tuple[str, ...]] = ("teacher",)`.
    """

    def __call__(self, view: View, step: Step) -> Tensor:
        """The weight of every point for every sample."""


def nets_of(method: object) -> tuple[str, ...]:
    """The networks a method asks besides the student: those it declares, else the teacher."""
    return tuple(getattr(method, "nets", ("teacher",)))


def points_of(weighting: object, t: int) -> tuple[int, ...] | None:
    """The indices of a path of `t` points a weighting limits itself to; None when it covers the path."""
    declared = getattr(weighting, "points", None)
    return None if declared is None else tuple(declared(t))


class Loss(Protocol):
    """One number per sample, (B,), from logits (B,N) and a target."""

    @property
    def kind(self) -> LossKind:
        """Which target: classes (B,) for `label`, the logits (B,N) of a network for `divergence`."""

    def __call__(self, logits: Tensor, target: Tensor) -> Tensor:
        """The loss of each sample."""


class Method(Protocol):
    """A training objective. Each yielded scalar is backpropagated before the next one is asked for.

    Optional: `nets` (networks it needs besides the student, `teacher` if it says nothing);
    `build(nets)`, called once before training; `modules()`, trained and saved, never exported. A run
    works on a copy of its own, so a method may keep what `build` made. A modifier such as AWP may evaluate
    the losses of a step a second time, so `losses` may change only gradients and BatchNorm buffers.
    """

    def paths(self, batch: Batch, step: Step) -> Mapping[str, Path | None]:
        """One path per branch; None where the branch cannot walk this batch."""

    def losses(
        self, paths: Mapping[str, Path | None], batch: Batch, step: Step
    ) -> Iterable[tuple[Tensor, Parts]]:
        """Scalars to backpropagate, with what they are made of."""


class Modifier(Protocol):
    """Changes how a student is trained, whatever the method. Every hook is optional; one is needed.

    A run works on a copy of its own, so a modifier may keep what `build` made. What it keeps between
    steps lies in `modules()`; otherwise a resumed run differs.
    """

    def build(self, student: nn.Module) -> None:
        """Called once before training."""

    def around_step(self, student: nn.Module, gradient: Gradient, step: Step) -> AbstractContextManager[None]:
        """Entered when all paths are walked, left before the optimiser moves: the losses lie between."""

    def after_step(self, student: nn.Module, step: Step) -> None:
        """Called when the optimiser has moved the student."""

    def epoch_end(self, student: nn.Module, images: Callable[[], Iterable[Tensor]], progress: float) -> None:
        """Called before validation, with the fraction of training done.

        `images` gives the training images of the epoch, not augmented, in its order and batches.
        """

    def modules(self) -> Mapping[str, nn.Module]:
        """What is saved with a checkpoint; it is not trained."""

    def weights(self) -> Mapping[str, Tensor] | None:
        """A state of the student to validate, write and evaluate instead of its own; None for its own."""


class DataSource(Protocol):
    """Images in [0,1] with classes 0..N-1; `classes` and `shape` are known before `open`."""

    @property
    def classes(self) -> int:
        """How many classes there are."""

    @property
    def shape(self) -> Shape:
        """Channels, height and width."""

    def open(self, split: Literal["train", "test"]) -> Dataset[Any]:
        """A data set of ((C,H,W), int)."""


class ModelSource(Protocol):
    """Makes a network that takes pixels in [0,1] and answers with logits.

    Optional: `saved()` gives the `File` (slot models) the network is read from; a teacher's clean accuracy
    is compared with the validation accuracy recorded there.
    """

    def __call__(self, classes: int, shape: Shape) -> nn.Module:
        """A new network."""


class Evaluator(Protocol):
    """Attacks a network on a test batch; the outcome is confirmed by the caller.

    Optional: `nets` (networks it needs beside the judged one, handed in as the keyword `nets`; where it
    is black-box it is not run if one of them lets no gradient reach the image), a keyword `memo` (to go on
    after an interruption), `whole` (it wants all examples at once), `exact` (it searches the network
    itself, never a fast twin; assumed where the norm is minimised), `mixed` (it is a suite of attacks with
    and without gradients), and `named(classes)` (what its number may be called).
    """

    @property
    def kind(self) -> Kind:
        """What it searches for."""

    @property
    def knowledge(self) -> Knowledge:
        """What it knows of the network."""

    def passes(self, classes: int) -> Passes | None:
        """Forward and backward passes an image costs at most; None where that is not known."""

    def __call__(self, net: nn.Module, batch: Batch, threat: Threat, generator: torch.Generator) -> Outcome:
        """The attacked images (B,C,H,W), inside the threat, and notes for the reader of the number."""


class Reporter(Protocol):
    """Takes every measured number as it comes.

    Its `close()`, where it has one, is called when a run whose configuration names it ends, however it
    ends; the records of another run may follow.
    """

    def __call__(self, record: Record) -> None:
        """Report one number."""


SLOT_OF: dict[type, str] = {
    Attack: "attacks",
    PathSampler: "paths",
    Weighting: "weightings",
    Loss: "losses",
    Method: "methods",
    Modifier: "modifiers",
    DataSource: "data",
    ModelSource: "models",
    Evaluator: "evaluators",
    Reporter: "reporters",
}
"""Which slot an option annotated with a contract is filled from."""
