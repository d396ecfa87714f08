"""What modifiers promise."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn, optim
from torch.nn import functional as F

from advkd.protocols import Modifier
from advkd.streams import global_seed
from advkd.testing.checks import check, require
from advkd.testing.parts import batch, changed, state, step
from advkd.training.modifier_stack import Modified

STEPS = 4
MOVED = ("parameter gradients", "buffers")
"""What the losses inside `around_step` change on their own."""


class Training:
    """A few steps of cross-entropy under one modifier, two steps an epoch, as the loop makes them."""

    def __init__(self, modifier: Modifier) -> None:
        self.step = step(())
        self.student = self.step.nets["student"]
        with global_seed(0, "modifiers"):
            self.modified = Modified({"it": modifier}, {"student": self.student})
        self.optimizer = optim.SGD(self.student.parameters(), lr=0.01, momentum=0.9)

    def backward(self) -> None:
        """Backpropagates the loss of a batch."""
        here = batch()
        F.cross_entropy(self.student(here.x), here.y).backward()  # type: ignore[no-untyped-call]

    def lowered(self, fails: bool = False) -> None:
        """The losses of a late step, and what is put around them."""
        with self.modified.around_step(replace(self.step, progress=0.9), self.backward):
            if fails:
                raise RuntimeError("the losses failed")
            self.backward()

    def train(self, begin: int, end: int) -> None:
        """The steps from `begin` to `end`."""
        for index in range(begin, end):
            at = replace(self.step, index=index, progress=index / STEPS)
            self.optimizer.zero_grad()
            with self.modified.around_step(at, self.backward):
                self.backward()
            self.optimizer.step()
            self.modified.after_step(at)
            if index % 2:
                self.modified.epoch_end(lambda: [batch().x], (index + 1) / STEPS)

    def modules(self) -> dict[str, nn.Module]:
        """What a checkpoint holds."""
        return {"student": self.student, **self.modified.modules()}

    def weights(self) -> dict[str, Tensor]:
        """What is validated and written."""
        with self.modified.worn():
            return copy.deepcopy(self.student.state_dict())


def offers(modifier: Modifier) -> Iterator[tuple[nn.Module, Mapping[str, Tensor]]]:
    """The student and the weights offered for it, before training and after it."""
    for steps in (0, STEPS):
        training = Training(modifier)
        training.train(0, steps)
        offer = training.modified.weights()
        if offer is not None:
            yield training.student, offer


def has(hook: str) -> Any:
    """Whether a modifier has a hook."""
    return lambda modifier: hasattr(modifier, hook)


@check("modifiers", has("around_step"))
def puts_the_student_back(modifier: Modifier) -> None:
    """What is put around the losses is undone after them: weights to the bit, modes, momentum."""
    training = Training(modifier)
    before = {k: v for k, v in state(training.student).items() if k not in MOVED}
    training.lowered()
    require(not (left := changed(before, state(training.student))), f"changed: {left}")


@check("modifiers", has("around_step"))
def puts_the_student_back_after_a_failure(modifier: Modifier) -> None:
    """It is undone even if the losses raise."""
    training = Training(modifier)
    before = {k: v for k, v in state(training.student).items() if k not in MOVED}
    try:
        training.lowered(fails=True)
    except RuntimeError as cause:
        require("the losses failed" in str(cause), f"another error comes out: {cause}")
    require(not (left := changed(before, state(training.student))), f"changed: {left}")


@check("modifiers")
def leaves_a_gradient(modifier: Modifier) -> None:
    """The optimiser finds a finite gradient of the losses."""
    training = Training(modifier)
    training.lowered()
    gradients = [p.grad for p in training.student.parameters() if p.grad is not None]
    require(any(g.any() for g in gradients), "no gradient reaches the student")
    require(all(g.isfinite().all() for g in gradients), "a gradient is not finite")


@check("modifiers")
def same_step_same_weights(modifier: Modifier) -> None:
    """Training with it depends on no global generator, and moves none."""
    found = []
    for seed in (1, 2):
        training = Training(modifier)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            before = state()
            training.train(0, STEPS)
            left = changed(before, state())
        require(not left, f"changed: {left}")
        found.append(training.weights())
    require(all(torch.equal(found[0][k], found[1][k]) for k in found[0]), "two trainings differ")


@check("modifiers", has("weights"))
def weights_fit_the_student(modifier: Modifier) -> None:
    """The weights it offers are a whole state of the student, finite, before and after training."""
    for student, offer in offers(modifier):
        own = student.state_dict()
        odd = offer.keys() ^ own.keys()
        require(not odd, f"missing or unexpected: {', '.join(sorted(odd)[:5])}")
        bad = [k for k in own if offer[k].shape != own[k].shape or not offer[k].isfinite().all()]
        require(not bad, f"of another shape or not finite: {', '.join(bad[:5])}")


@check("modifiers", has("weights"))
def weights_are_its_own(modifier: Modifier) -> None:
    """The weights it offers share no memory with the student, which goes on training."""
    for student, offer in offers(modifier):
        shared = {t.data_ptr() for t in student.state_dict().values()} & {
            t.data_ptr() for t in offer.values()
        }
        require(not shared, f"{len(shared)} tensors are the student's")


@check("modifiers")
def resumes_exactly(modifier: Modifier) -> None:
    """Stopped between epochs and gone on from `modules()`, training ends at the same bits."""
    whole, first, second = (Training(modifier) for _ in range(3))
    whole.train(0, STEPS)
    first.train(0, STEPS // 2)
    for name, module in second.modules().items():
        module.load_state_dict(copy.deepcopy(first.modules()[name].state_dict()))
    second.optimizer.load_state_dict(copy.deepcopy(first.optimizer.state_dict()))
    second.train(STEPS // 2, STEPS)
    one, two = whole.weights(), second.weights()
    differ = [key for key in one if not torch.equal(one[key], two[key])]
    require(not differ, f"differ: {', '.join(differ[:5])}")
