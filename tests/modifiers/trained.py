"""Steps of a method under modifiers, without a run around them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from advkd.config.build import member
from advkd.config.layers import named
from advkd.protocols import Modifier
from advkd.step import Step
from advkd.streams import streams
from advkd.training.modifier_stack import Modified
from advkd.types import Batch, Threat


def method_of(preset: str, **more: Any) -> Any:
    return member("methods", {**named("presets", preset)["method"], **more}, "method")[0]


def state(net: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in net.state_dict().items()}


def same_bits(one: Mapping[str, torch.Tensor], two: Mapping[str, torch.Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[k], two[k]) for k in one)


class Steps:
    """A method and a copy of a student; each call is one step of SGD under the modifiers."""

    def __init__(
        self, method: Any, student: nn.Module, teacher: nn.Module, modifiers: Mapping[str, Modifier]
    ) -> None:
        self.method, self.student = copy.deepcopy(method), copy.deepcopy(student)
        self.nets = {"student": self.student, "teacher": teacher}
        if hasattr(self.method, "build"):
            self.method.build(self.nets)
        own = self.method.modules() if hasattr(self.method, "modules") else {}
        self.modules = {"student": self.student, **own}
        self.modified = Modified(modifiers, self.modules)
        self.optimizer = torch.optim.SGD([p for m in self.modules.values() for p in m.parameters()], lr=0.05)
        self.done = 0

    def step(self) -> Step:
        return Step(nets=self.nets, threat=Threat(eps=0.1), streams=streams(5), index=self.done, progress=0.5)

    def backward(self, paths: Any, batch: Batch, step: Step) -> float:
        total = 0.0
        for scalar, _ in self.method.losses(paths, batch, step):
            scalar.backward()
            total += scalar.item()
        return total

    def __call__(self, batch: Batch, inside: Callable[[], None] = lambda: None) -> float:
        """The loss of the step; `inside` is called where its gradient is there."""
        step = self.step()
        self.optimizer.zero_grad()
        paths = self.method.paths(batch, step)
        with self.modified.around_step(step, lambda: self.backward(paths, batch, step)):
            loss = self.backward(paths, batch, step)
            inside()
        self.optimizer.step()
        self.modified.after_step(step)
        self.done += 1
        return loss
