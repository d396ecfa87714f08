"""One step of a method, taken by hand."""

from __future__ import annotations

from typing import Any

from torch import nn

from advkd.config.build import member
from advkd.config.layers import named, over
from advkd.step import Step
from advkd.streams import streams
from advkd.types import Batch, Threat


def method_of(preset: str, change: dict[str, Any] | None = None) -> Any:
    raw = over(named("presets", preset), {"method": change or {}})
    return member("methods", raw["method"], "method")[0]


def step_of(student: nn.Module, teacher: nn.Module, threat: Threat, **more: Any) -> Step:
    return Step(nets={"student": student, "teacher": teacher}, threat=threat, streams=streams(5), **more)


def run_step(method: Any, batch: Batch, step: Step) -> tuple[float, dict[str, float]]:
    """One step's loss and parts; gradients are left in the parameters."""
    value, parts = 0.0, {}
    for scalar, more in method.losses(method.paths(batch, step), batch, step):
        scalar.backward()
        value += scalar.item()
        for name, part in more.items():
            parts[name] = parts.get(name, 0.0) + part.item()
    return value, parts
