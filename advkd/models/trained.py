"""A teacher that is trained on first use and shared from then on (`trained`)."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import nn

from advkd.augment import Augment
from advkd.optim import Optimizer, Schedule
from advkd.protocols import Evaluator, ModelSource
from advkd.types import Shape


@dataclass(frozen=True, kw_only=True)
class Trained:
    """`model`, trained with a teacher-free `preset` on the data, split and threat of the run.

    The recipe is that of the setting unless given here, so tuning a student never changes its teacher; its
    best epoch is chosen by `validation`, else as its preset says, else as the setting does.
    The result is kept in the cache folder under the hash of all this and `seed`; five methods of one
    setting share one teacher.
    """

    model: ModelSource
    epochs: int
    batch_size: int
    preset: str = "trades"
    seed: int = 0
    optimizer: Optimizer = field(default_factory=Optimizer)
    schedule: Schedule = field(default_factory=Schedule)
    augment: Augment = field(default_factory=Augment)
    validation: Evaluator | None = None

    def __call__(self, classes: int, shape: Shape) -> nn.Module:
        """The network, not trained yet."""
        return self.model(classes, shape)
