"""Methods with one fault each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from advkd.networks.modes import logits_of
from advkd.step import Step
from advkd.testing.mutants import plant
from advkd.testing.paths import walk_of
from advkd.types import Batch, Path

Scalars = Iterator[tuple[Tensor, Mapping[str, Tensor]]]
C = TypeVar("C", bound=type)


@dataclass(frozen=True, kw_only=True)
class Right:
    """Cross-entropy at the end of an untargeted path; its heirs have one fault each."""

    nets: ClassVar[tuple[str, ...]] = ()

    def paths(self, batch: Batch, step: Step) -> Mapping[str, Path | None]:
        """One path."""
        return {"one": walk_of(step)(batch.x, batch.y)}

    def losses(self, paths: Mapping[str, Path | None], batch: Batch, step: Step) -> Scalars:
        """One scalar."""
        value = self.value(paths["one"], step)
        yield value, {"one.robust": value.detach()}

    def value(self, path: Any, step: Step) -> Tensor:
        """The mean loss."""
        return F.cross_entropy(step.nets["student"](path.x[-1]), path.y)


def caught_by(check: str) -> Callable[[C], C]:
    """Decorator: plants a method under the name of its check."""

    def keep(cls: C) -> C:
        plant("methods", check, cls())
        return cls

    return keep


@caught_by("paths_start_clean")
class Relabelled(Right):
    """Walkers get another label than their image has."""

    def paths(self, batch: Batch, step: Step) -> Mapping[str, Path | None]:
        return {"one": walk_of(step)(batch.x, (batch.y + 1) % 5)}


@caught_by("paths_stay_in_threat")
class Beyond(Right):
    """It goes on beyond the end."""

    def paths(self, batch: Batch, step: Step) -> Mapping[str, Path | None]:
        x = walk_of(step)(batch.x, batch.y).x
        return {"one": Path(torch.cat([x, (2 * x[-1:] - x[:1]).clamp(0, 1)]), batch.y)}


@caught_by("walking_leaves_no_trace")
class Trampling(Right):
    """It forwards in train mode while it walks, and BatchNorm moves."""

    def paths(self, batch: Batch, step: Step) -> Mapping[str, Path | None]:
        step.nets["student"](batch.x)
        return super().paths(batch, step)


@caught_by("parts_sum_to_the_loss")
class Miscounted(Right):
    """Its part is the loss before it was scaled."""

    def losses(self, paths: Mapping[str, Path | None], batch: Batch, step: Step) -> Scalars:
        value = self.value(paths["one"], step)
        yield 2 * value, {"one.robust": value.detach()}


@caught_by("trains_the_student_alone")
class Waking(Right):
    """It leaves the teacher in train mode."""

    nets: ClassVar[tuple[str, ...]] = ("teacher",)

    def value(self, path: Any, step: Step) -> Tensor:
        step.nets["teacher"].train()
        return super().value(path, step)


@caught_by("moves_nothing_itself")
class Decaying(Right):
    """It decays the weights, which is the optimiser's to do."""

    def value(self, path: Any, step: Step) -> Tensor:
        with torch.no_grad():
            for parameter in step.nets["student"].parameters():
                parameter.mul_(0.99)
        return super().value(path, step)


@caught_by("same_step_same_gradient")
class Careless(Right):
    """It draws from the global generator."""

    def value(self, path: Any, step: Step) -> Tensor:
        with torch.random.fork_rng():
            return super().value(path, step) * (1 + torch.rand(()))


@caught_by("finite_at_every_progress")
class Premature(Right):
    """It divides by the progress of training."""

    def value(self, path: Any, step: Step) -> Tensor:
        return super().value(path, step) / step.progress


@caught_by("one_class_is_no_error")
class Sociable(Right):
    """It counts on a second class."""

    def paths(self, batch: Batch, step: Step) -> Mapping[str, Path | None]:
        other = batch.y[batch.y != batch.y[0]]
        return {"one": walk_of(step)(batch.x, batch.y + 0 * other[0])}


@caught_by("reads_declared_nets")
class Indiscreet(Right):
    """It asks the teacher and does not say so."""

    def value(self, path: Any, step: Step) -> Tensor:
        return super().value(path, step) + 0 * logits_of(step.nets["teacher"], path.x[0]).sum()


@caught_by("own_modules_are_its_own")
@dataclass(frozen=True, kw_only=True)
class Possessive(Right):
    """It calls the student's last layer its own."""

    _own: dict[str, nn.Module] = field(default_factory=dict, init=False)

    def build(self, nets: Mapping[str, nn.Module]) -> None:
        """Takes the layer."""
        self._own["head"] = list(nets["student"].children())[-1]

    def modules(self) -> Mapping[str, nn.Module]:
        """What it trains."""
        return self._own


@caught_by("resumes_exactly")
@dataclass(frozen=True, kw_only=True)
class Counting(Right):
    """It counts its steps, and no checkpoint knows of it."""

    _seen: list[int] = field(default_factory=list, init=False)

    def value(self, path: Any, step: Step) -> Tensor:
        self._seen.append(step.index)
        return super().value(path, step) * len(self._seen)
