"""One step of any method, to be checked by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from advkd.config.build import member
from advkd.config.layers import named, over
from advkd.data.images import Images, check_box, check_labels
from advkd.errors import error
from advkd.guards import check_paths, scalars
from advkd.networks.device import undisturbed
from advkd.networks.modes import buffers_kept, classes_of, full_float32
from advkd.protocols import Method, nets_of
from advkd.step import Step
from advkd.streams import drawn, global_seed
from advkd.types import Batch, Path, Threat


@undisturbed
def loss_of(
    preset: str,
    *,
    student: nn.Module,
    x: Tensor,
    y: Tensor,
    threat: Threat,
    teacher: nn.Module | None = None,
    generator: torch.Generator | None = None,
    progress: float = 0.0,
    method: Mapping[str, Any] | None = None,
) -> tuple[Tensor, dict[str, Path | None]]:
    """The loss of a preset on one batch, and the paths it walked, by branch.

    `loss.backward()` gives the student's parameters the gradient a training step would. Every random
    draw comes from `generator` (seed 0 if none), in the order it is needed: the noise of the first
    branch first; what networks draw themselves (dropout) follows from its state. The student is used in
    the mode it is in (train mode is what training does); modes, buffers and gradients are left as found.
    `progress` is the fraction of training done. `method` is laid over the preset's, as plain values:
    `{"branches": {"untargeted": {"terms": {...}}}}`.
    """
    raw = over(named("presets", preset), {"method": dict(method)} if method else {})
    built: Method = member("methods", raw["method"], "method")[0]
    nets = {"student": student, **({"teacher": teacher} if teacher is not None else {})}
    for name in nets_of(built):
        if name not in nets:
            raise error(f"loss_of {preset}", f"needs the network {name}", remedy=f"pass {name}=")
    source = torch.Generator().manual_seed(0) if generator is None else generator
    step = Step(nets=nets, threat=threat, streams=lambda *_: source, progress=progress)
    batch = _checked(Batch(x, y), nets, threat)
    with buffers_kept(*nets.values()), global_seed(_ahead(source)), full_float32():
        if hasattr(built, "build"):
            built.build(nets)
        paths = dict(built.paths(batch, step))
        loss, gradients = _collected(built, paths, batch, step, student)
    for parameter, gradient in gradients:
        carried = (parameter * gradient).sum()
        loss = loss + (carried - carried.detach())
    return loss, paths


def _checked(batch: Batch, nets: Mapping[str, nn.Module], threat: Threat) -> Batch:
    for name, net in nets.items():
        with buffers_kept(net):
            classes = classes_of(net, batch.x)
        # on a GPU a label beyond the logits would be the end of every later call of the process
        check_labels(batch.y, classes, f"loss_of y, for the {name}")
    check_box(Images(batch.x, batch.y), threat)
    return batch


def _ahead(generator: torch.Generator) -> int:
    """A seed from the state of a generator, which keeps all it is to draw; an error for one of a GPU."""
    if generator.device.type != "cpu":
        problem = "all noise is drawn on the CPU, whatever the device"
        remedy = "pass torch.Generator().manual_seed(...)"
        raise error("loss_of generator", problem, given=generator.device, remedy=remedy)
    return drawn(torch.Generator().set_state(generator.get_state()))


def _collected(
    method: Method, paths: dict[str, Path | None], batch: Batch, step: Step, student: nn.Module
) -> tuple[Tensor, list[tuple[nn.Parameter, Tensor]]]:
    check_paths(paths, batch, step.threat, "loss_of")
    trained = [p for p in student.parameters() if p.requires_grad]
    before = [p.grad for p in trained]
    value = batch.x.new_zeros(())
    try:
        for p in trained:
            p.grad = None
        for scalar, _ in scalars(method.losses(paths, batch, step), method):
            scalar.backward()  # type: ignore[no-untyped-call]
            value = value + scalar.detach()
        return value, [(p, p.grad) for p in trained if p.grad is not None]
    finally:
        for p, grad in zip(trained, before, strict=True):
            p.grad = grad
