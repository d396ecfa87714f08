"""Modifiers with one fault each."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from advkd.protocols import Gradient
from advkd.step import Step
from advkd.testing.mutants import plant


@dataclass(frozen=True, kw_only=True)
class Rounding:
    """It subtracts what it has added, and the weights come back rounded."""

    @contextmanager
    def around_step(self, student: nn.Module, gradient: Gradient, step: Step) -> Iterator[None]:
        """Shifted weights."""
        before = copy.deepcopy(student.state_dict())
        self._shift(student, 1 / 3)
        try:
            yield
        except RuntimeError:
            student.load_state_dict(before)
            raise
        self._shift(student, -1 / 3)

    def _shift(self, student: nn.Module, by: float) -> None:
        with torch.no_grad():
            for p in student.parameters():
                p.add_(by)


@dataclass(frozen=True, kw_only=True)
class Trusting:
    """It puts weights back, unless something raises."""

    @contextmanager
    def around_step(self, student: nn.Module, gradient: Gradient, step: Step) -> Iterator[None]:
        """Doubled weights."""
        before = [p.detach().clone() for p in student.parameters()]
        with torch.no_grad():
            for p in student.parameters():
                p.mul_(2)
        yield
        with torch.no_grad():
            for p, value in zip(student.parameters(), before, strict=True):
                p.copy_(value)


@dataclass(frozen=True, kw_only=True)
class Clearing:
    """It clears gradients after the losses instead of before them."""

    @contextmanager
    def around_step(self, student: nn.Module, gradient: Gradient, step: Step) -> Iterator[None]:
        """The losses, for nothing."""
        yield
        student.zero_grad()


@dataclass(frozen=True, kw_only=True)
class Noisy:
    """It draws from the global generator."""

    def after_step(self, student: nn.Module, step: Step) -> None:
        """A little noise."""
        with torch.random.fork_rng(), torch.no_grad():
            for p in student.parameters():
                p.add_(torch.randn_like(p) / 1000)


@dataclass(frozen=True, kw_only=True)
class Eager:
    """It offers a mean before there is anything in it."""

    _kept: dict[str, nn.Module] = field(default_factory=dict, init=False)

    def build(self, student: nn.Module) -> None:
        """Makes room."""
        self._kept["last"] = copy.deepcopy(student)

    def modules(self) -> Mapping[str, nn.Module]:
        """What is saved."""
        return self._kept

    def after_step(self, student: nn.Module, step: Step) -> None:
        """The last weights are all of the mean."""
        self._kept["last"].load_state_dict(student.state_dict())

    def weights(self) -> Mapping[str, Tensor]:
        """A sum over a count, which BatchNorm keeps."""
        own = self._kept["last"].state_dict()
        count = next(value for name, value in own.items() if name.endswith("num_batches_tracked")).double()
        return {k: v * count / count if v.is_floating_point() else v for k, v in own.items()}


@dataclass(frozen=True, kw_only=True)
class Sharing:
    """It offers the student's own tensors."""

    _kept: dict[str, Tensor] = field(default_factory=dict, init=False)

    def build(self, student: nn.Module) -> None:
        """Keeps the student."""
        self._kept.update(student.state_dict())

    def weights(self) -> Mapping[str, Tensor]:
        """The student."""
        return self._kept


@dataclass(frozen=True, kw_only=True)
class Counting:
    """It counts its steps, and no checkpoint knows of it."""

    _seen: list[int] = field(default_factory=list, init=False)

    def after_step(self, student: nn.Module, step: Step) -> None:
        """Weights decay by the count."""
        self._seen.append(step.index)
        with torch.no_grad():
            for p in student.parameters():
                p.mul_(1 - len(self._seen) / 1000)


plant("modifiers", "puts_the_student_back", Rounding())
plant("modifiers", "puts_the_student_back_after_a_failure", Trusting())
plant("modifiers", "leaves_a_gradient", Clearing())
plant("modifiers", "same_step_same_weights", Noisy())
plant("modifiers", "weights_fit_the_student", Eager())
plant("modifiers", "weights_are_its_own", Sharing())
plant("modifiers", "resumes_exactly", Counting())
