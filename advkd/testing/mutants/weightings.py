"""Weightings with one fault each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from advkd.networks.modes import evaluating
from advkd.step import Step
from advkd.testing.mutants import planted
from advkd.view import View


@dataclass(frozen=True, kw_only=True)
class Weighting:
    """How far the student is from its label, but for what `run` does to it."""

    run: Callable[[Tensor, View, Step], Tensor]

    def __call__(self, view: View, step: Step) -> Tensor:
        """(T,B)."""
        probabilities = view.logits("student").softmax(2)
        classes = view.path.y.expand(len(view.path), -1)[..., None]
        return self.run(1 - probabilities.gather(2, classes).squeeze(2), view, step)


@dataclass(frozen=True, kw_only=True)
class Pointed(Weighting):
    """The same at declared points."""

    at: Callable[[int], tuple[int, ...]]

    def points(self, t: int) -> tuple[int, ...]:
        """The indices that are declared."""
        return self.at(t)


@dataclass(frozen=True, kw_only=True)
class Settable(Weighting):
    """The same, and whoever uses it may say what it reads."""

    nets: tuple[str, ...] = ()


fault = planted("weightings", Weighting)


@fault
def shape(weights: Tensor, view: View, step: Step) -> Tensor:
    """It leaves the start out."""
    return weights[1:] if len(weights) > 1 else weights


@fault
def finite(weights: Tensor, view: View, step: Step) -> Tensor:
    """It divides by the progress of training."""
    return weights[:1] / step.progress if len(weights) == 1 else weights.clamp_min(0.1) / step.progress


@fault
def non_negative(weights: Tensor, view: View, step: Step) -> Tensor:
    """It turns against the end of training."""
    return weights * (0.75 - step.progress)


@fault
def weighs_something(weights: Tensor, view: View, step: Step) -> Tensor:
    """It counts nothing at all."""
    return torch.zeros_like(weights)


@fault
def no_gradient(weights: Tensor, view: View, step: Step) -> Tensor:
    """It asks the student itself."""
    with evaluating(step.nets["student"]):
        logits: Tensor = step.nets["student"](view.path.x[0])
    return weights + 0 * logits.sum(1)


@fault
def permutation_equivariant(weights: Tensor, view: View, step: Step) -> Tensor:
    """Later samples of a batch count more."""
    return weights * (1 + torch.arange(weights.shape[1]).to(weights))


@fault
def neighbours_do_not_matter(weights: Tensor, view: View, step: Step) -> Tensor:
    """It normalises over the batch."""
    return weights / weights.amax(1, keepdim=True).clamp_min(1e-9)


@fault
def one_point(weights: Tensor, view: View, step: Step) -> Tensor:
    """It divides by the number of steps."""
    t = len(weights)
    return weights * (torch.arange(t).to(weights) / (t - 1))[:, None]


@fault
def extreme_logits(weights: Tensor, view: View, step: Step) -> Tensor:
    """It computes a softmax by hand."""
    exponentials = view.logits("student").exp()
    return (exponentials / exponentials.sum(2, keepdim=True)).amax(2)


@fault
def keeps_answers(weights: Tensor, view: View, step: Step) -> Tensor:
    """It computes in the logits it was handed."""
    view.at("student", 0).mul_(2)
    return weights


@planted("weightings", Pointed, at=lambda t: (t - 1,))
def zero_elsewhere(weights: Tensor, view: View, step: Step) -> Tensor:
    """It declares the end and weighs everything."""
    return weights


@planted("weightings", Pointed, at=lambda _: (0, 0))
def points_lie_on_the_path(weights: Tensor, view: View, step: Step) -> Tensor:
    """It names the start twice."""
    return torch.cat([weights[:1], 0 * weights[1:]])


@planted("weightings", Settable)
def nets_is_no_option(weights: Tensor, view: View, step: Step) -> Tensor:
    """It has the right weights."""
    return weights


@fault
def reads_declared_nets(weights: Tensor, view: View, step: Step) -> Tensor:
    """It asks the teacher and does not say so."""
    return weights * view.logits("teacher").softmax(2).amax(2)


@fault
def keeps_device(weights: Tensor, view: View, step: Step) -> Tensor:
    """It counts the points on the CPU."""
    return weights * torch.linspace(0.5, 1, len(weights), dtype=weights.dtype)[:, None]


@fault
def keeps_dtype(weights: Tensor, view: View, step: Step) -> Tensor:
    """It answers in double precision."""
    return weights.double()


@fault
def leaves_no_trace(weights: Tensor, view: View, step: Step) -> Tensor:
    """It draws from the global generator."""
    return weights + 0 * float(torch.rand(()))
