"""The resolved, validated configuration of one training run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from advkd.augment import Augment
from advkd.config.entries import MANY, entry_names
from advkd.errors import at_least_one, error
from advkd.fingerprints import digits
from advkd.networks.engine import Compile, Precision
from advkd.optim import Optimizer, Schedule
from advkd.protocols import DataSource, Evaluator, Method, ModelSource, Modifier, Reporter, nets_of
from advkd.types import Real, Threat

UNHASHED = ("seed", "device", "reporters", "compile", "precision", "deterministic")


@dataclass(frozen=True, kw_only=True)
class Split:
    """Which images train, validate and test.

    `validation` is the stratified fraction carved from the training images; `train` and `test` limit how
    many images are used (stratified; all when null). `seed` belongs to the setting, so that every method
    and every teacher of it leaves the same images alone.
    """

    validation: Real = 0.1
    train: int | None = None
    test: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.validation < 1:
            raise error(
                "validation",
                "a fraction of the training images, between 0 and 1",
                given=self.validation,
                remedy="selection on the test split is not offered",
            )
        at_least_one(train=self.train, test=self.test)


@dataclass(frozen=True, kw_only=True)
class Spec:
    """Everything that can be configured."""

    preset: str
    setting: str
    data: DataSource
    threat: Threat
    student: ModelSource
    method: Method
    epochs: int
    batch_size: int
    validation: Evaluator
    evaluation: Mapping[str, Evaluator]
    teacher: ModelSource | None = None
    split: Split = field(default_factory=Split)
    optimizer: Optimizer = field(default_factory=Optimizer)
    schedule: Schedule = field(default_factory=Schedule)
    augment: Augment = field(default_factory=Augment)
    modifiers: Mapping[str, Modifier] = field(default_factory=dict)
    reporters: Mapping[str, Reporter] = field(default_factory=dict)
    eval_batch_size: int = 512
    seed: int = 0
    device: str = "auto"
    compile: Compile = "auto"
    precision: Precision = "auto"
    deterministic: bool = False

    def __post_init__(self) -> None:
        at_least_one(epochs=self.epochs, batch_size=self.batch_size, eval_batch_size=self.eval_batch_size)
        entry_names(self.evaluation, MANY)


@dataclass(frozen=True, kw_only=True)
class Run(Spec):
    """A `Spec` with `resolved`, the plain values it was built from, all defaults filled in."""

    resolved: Mapping[str, Any]

    @property
    def hash(self) -> str:
        """Eight digits that name the configuration whatever its seed, device, reporters and engine."""
        # an empty `modifiers` is left out, so that older runs keep their hash
        left_out = (*UNHASHED, *(() if self.modifiers else ("modifiers",)))
        return digits({key: value for key, value in self.resolved.items() if key not in left_out})

    @property
    def scales(self) -> float | None:
        """The sum of the scales of its loss terms, which acts like a learning rate; None if it has none."""
        written: float | None = getattr(self.method, "written", None)
        total = getattr(self.method, "total", "as-written")
        return written if written is None or total == "as-written" else float(total)

    @property
    def nets(self) -> tuple[str, ...]:
        """The networks the method asks besides the student."""
        return nets_of(self.method)
