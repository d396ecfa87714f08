"""What methods promise."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn, optim

from advkd.guards import wrong_start
from advkd.protocols import Method, nets_of
from advkd.step import Step
from advkd.streams import global_seed
from advkd.testing.checks import check, require
from advkd.testing.parts import batch, changed, state, step
from advkd.types import Batch, Path

Paths = Mapping[str, Path | None]
STEPS = 4


class Training:
    """A few steps of a method on a small student, as the training loop makes them."""

    def __init__(self, method: Method, *more: str) -> None:
        # a run works on a copy of its own
        self.method: Any = copy.deepcopy(method)
        self.step = step(dict.fromkeys((*nets_of(method), *more)))
        self.nets = self.step.nets
        with global_seed(0, "build"):
            if hasattr(self.method, "build"):
                self.method.build(self.nets)
        # in the type of the student
        for module in own_modules(self.method).values():
            module.double()
        self.modules = {"student": self.nets["student"], **own_modules(self.method)}
        trained = {id(p): p for m in self.modules.values() for p in m.parameters() if p.requires_grad}
        self.optimizer = optim.SGD(trained.values(), lr=0.01, momentum=0.9)

    def at(self, index: int, progress: float | None = None) -> Step:
        """The step `index` of `STEPS`."""
        return replace(
            self.step, index=index, progress=index / STEPS if progress is None else progress, _known=[]
        )

    def paths(self, of: Batch | None = None) -> Paths:
        """The paths of the first step."""
        found: Paths = self.method.paths(of or batch(), self.at(0))
        return found

    def gradients(
        self, index: int = 2, of: Batch | None = None, progress: float | None = None
    ) -> list[tuple[Tensor, Mapping[str, Tensor]]]:
        """Makes one step without moving the student; every scalar with its parts, as they came."""
        here, found = of or batch(), []
        at = self.at(index, progress)
        self.optimizer.zero_grad(set_to_none=True)
        for scalar, parts in self.method.losses(self.method.paths(here, at), here, at):
            require(scalar.dim() == 0, f"a scalar has shape {tuple(scalar.shape)}")
            require(scalar.requires_grad, "a scalar has nothing to backpropagate")
            scalar.backward()
            found.append((scalar.detach(), parts))
        return found

    def train(self, begin: int, end: int) -> None:
        """The steps from `begin` to `end`."""
        for index in range(begin, end):
            self.gradients(index)
            self.optimizer.step()

    def states(self) -> dict[str, Any]:
        """What a checkpoint holds."""
        modules = {name: module.state_dict() for name, module in self.modules.items()}
        return copy.deepcopy({"modules": modules, "optimizer": self.optimizer.state_dict()})

    def load(self, states: Mapping[str, Any]) -> None:
        """Goes on from a checkpoint."""
        for name, module in self.modules.items():
            module.load_state_dict(states["modules"][name])
        self.optimizer.load_state_dict(states["optimizer"])


def own_modules(method: Any) -> dict[str, nn.Module]:
    """What a method trains beside the student."""
    return dict(method.modules()) if hasattr(method, "modules") else {}


@check("methods")
def paths_start_clean(method: Method) -> None:
    """Every path starts from images of the batch, each with the label of its image."""
    for name, path in Training(method, "teacher").paths().items():
        wrong = wrong_start(path, batch()) if path else ""
        require(not wrong, f"{name}, {wrong}")


@check("methods")
def paths_stay_in_threat(method: Method) -> None:
    """Every point of every path lies in the ball around its start, and in the box."""
    training = Training(method, "teacher")
    for name, path in training.paths().items():
        for k, x in enumerate(path.x if path else ()):
            require(training.step.threat.holds(x, path.x[0]).all(), f"{name}: point {k} lies outside")  # type: ignore[union-attr]


@check("methods")
def walking_leaves_no_trace(method: Method) -> None:
    """Walking leaves modes, buffers, gradients, every network and the global generators as they were."""
    training = Training(method, "teacher")
    for parameter in training.nets["student"].parameters():
        parameter.grad = torch.ones_like(parameter)
    before = state(*training.nets.values())
    training.paths()
    left = changed(before, state(*training.nets.values()))
    require(not left, f"changed: {left}")


@check("methods")
def parts_sum_to_the_loss(method: Method) -> None:
    """A step yields finite scalars, and the detached parts beside them sum to the same loss."""
    found = Training(method, "teacher").gradients()
    require(found, "there is nothing to backpropagate")
    loss = torch.stack([scalar for scalar, _ in found]).sum()
    parts = [part for _, named in found for part in named.values()]
    require(loss.isfinite(), f"the loss is {loss}")
    require(not any(part.requires_grad for part in parts), "a part requires gradient")
    require(torch.allclose(loss, sum(parts, loss * 0)), f"loss {loss:.6g}, parts {sum(parts, loss * 0):.6g}")


@check("methods")
def trains_the_student_alone(method: Method) -> None:
    """The student gets a finite gradient; the other networks are left wholly as they were."""
    training = Training(method, "teacher")
    others = [net for name, net in training.nets.items() if name != "student"]
    before = state(*others)
    training.gradients()
    grads = [p.grad for p in training.nets["student"].parameters() if p.grad is not None]
    require(any(grad.any() for grad in grads), "no gradient reaches the student")
    require(all(grad.isfinite().all() for grad in grads), "a gradient is not finite")
    require(not (left := changed(before, state(*others))), f"changed: {left}")


@check("methods")
def moves_nothing_itself(method: Method) -> None:
    """A step leaves parameters, modes and BatchNorm momentum to the loop; it brings gradients only."""
    training = Training(method, "teacher")
    student = training.nets["student"]
    before = state(student)
    training.gradients()
    kept = {k: before[k] for k in before if k not in ("buffers", "parameter gradients")}
    left = changed(kept, state(student))
    require(not left, f"changed: {left}")


@check("methods")
def same_step_same_gradient(method: Method) -> None:
    """All randomness comes from the generators of the step: one step makes one loss and one gradient."""
    seen = []
    for seed in (1, 2):
        training = Training(method, "teacher")
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            loss = [float(scalar) for scalar, _ in training.gradients()]
        seen.append((loss, state(training.nets["student"])["parameter gradients"]))
    require(seen[0][0] == seen[1][0], f"losses {seen[0][0]} and {seen[1][0]}")
    require(seen[0][1] == seen[1][1], "gradients differ")


@check("methods")
def finite_at_every_progress(method: Method) -> None:
    """The loss is finite from the first step of training to the last."""
    for progress in (0.0, 0.5, 0.999):
        found = Training(method, "teacher").gradients(progress=progress)
        require(all(scalar.isfinite() for scalar, _ in found), f"at {progress}: {found}")


@check("methods")
def one_class_is_no_error(method: Method) -> None:
    """A batch of one class trains, or skips the branches that cannot walk it."""
    here = batch()
    found = Training(method, "teacher").gradients(of=Batch(here.x, torch.zeros_like(here.y)))
    require(all(scalar.isfinite() for scalar, _ in found), f"a loss is not finite: {found}")


@check("methods")
def reads_declared_nets(method: Method) -> None:
    """It asks no network but the student and those in `nets` (the teacher, if it says nothing)."""
    try:
        Training(method).gradients()
    except KeyError as cause:
        require(False, f"it asks for {cause}, nets is {tuple(getattr(method, 'nets', ('teacher',)))}")


@check("methods", lambda method: hasattr(method, "modules"))
def own_modules_are_its_own(method: Method) -> None:
    """What `modules()` trains beside the student shares no parameter with it."""
    training = Training(method, "teacher")
    own = {id(p) for module in own_modules(training.method).values() for p in module.parameters()}
    shared = own & {id(p) for p in training.nets["student"].parameters()}
    require(not shared, f"{len(shared)} parameters are the student's")


@check("methods")
def resumes_exactly(method: Method) -> None:
    """Stopped between steps and gone on from a checkpoint, training ends at the same bits."""
    whole, first, second = (Training(method, "teacher") for _ in range(3))
    whole.train(0, STEPS)
    first.train(0, STEPS // 2)
    second.load(first.states())
    second.train(STEPS // 2, STEPS)
    for name in whole.modules:
        same = state(whole.modules[name]), state(second.modules[name])
        require(not (left := changed(*same)), f"{name} differs in: {left}")
