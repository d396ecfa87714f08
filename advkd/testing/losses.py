"""What losses promise."""

from __future__ import annotations

from typing import Any, get_args

import torch
from torch import Tensor

from advkd.protocols import Loss, LossKind
from advkd.testing.checks import check, require
from advkd.testing.parts import generator, on_one_device

B = 5


def logits(seed: int, classes: int = 4) -> Tensor:
    """Float64 logits (B,N) that differ in size."""
    return 2 * torch.randn(B, classes, generator=generator(seed), dtype=torch.float64)


def target_of(loss: Loss, classes: int = 4) -> Tensor:
    """A target of the kind a loss takes: classes (B,), or the logits (B,N) of a network."""
    declares_its_kind(loss)
    return torch.arange(B) % classes if loss.kind == "label" else logits(2, classes)


def valued(loss: Loss, logits: Tensor, target: Tensor) -> Tensor:
    """What a loss says, if it is a tensor."""
    values = loss(logits, target)
    require(isinstance(values, Tensor), f"it gives a {type(values).__name__} instead of a tensor")
    return values


def is_divergence(loss: Any) -> bool:
    """Whether a loss compares two networks."""
    declares_its_kind(loss)
    return bool(loss.kind == "divergence")


@check("losses")
def declares_its_kind(loss: Loss) -> None:
    """`kind` says what a loss is compared with: label or divergence."""
    kind = getattr(loss, "kind", None)
    require(kind in get_args(LossKind), f"kind is {kind!r}")


@check("losses")
def per_sample(loss: Loss) -> None:
    """There is one number per sample, (B,), and it depends on that sample alone."""
    for classes in (2, 4):
        z, target = logits(1, classes), target_of(loss, classes)
        values = valued(loss, z, target)
        require(values.shape == (B,), f"shape {tuple(values.shape)} instead of {(B,)}")
        for i in range(B):
            alone = valued(loss, z[i : i + 1], target[i : i + 1])
            close = torch.allclose(alone, values[i : i + 1], atol=1e-12)
            require(close, f"sample {i}: {values[i]:.6g} in the batch, {alone.sum():.6g} alone")


@check("losses")
def keeps_device(loss: Loss) -> None:
    """It works on the device of the logits and makes no tensor elsewhere."""
    on_one_device(lambda: valued(loss, logits(1).to("meta"), target_of(loss).to("meta")))


@check("losses")
def gradcheck(loss: Loss) -> None:
    """Gradients are those of finite differences, in the logits and in the target of a divergence."""
    inputs = [logits(1).requires_grad_()]
    inputs += [logits(2).requires_grad_()] if is_divergence(loss) else []
    more = [] if is_divergence(loss) else [target_of(loss)]
    values = valued(loss, *inputs, *more)
    require(values.requires_grad, "no gradient leads back to the logits")
    (gradient, *_) = torch.autograd.grad(values.sum(), inputs, allow_unused=True)
    require(gradient is not None and gradient.any(), "the gradient is zero everywhere")
    try:
        torch.autograd.gradcheck(lambda *given: valued(loss, *given, *more), tuple(inputs))
    except RuntimeError as cause:
        require(False, str(cause))


@check("losses", is_divergence)
def zero_at_equality(loss: Loss) -> None:
    """A divergence of equal answers is zero, and so is its gradient."""
    z = logits(1).requires_grad_()
    values = valued(loss, z, z.detach())
    (gradient,) = torch.autograd.grad(values.sum(), z)
    require(values.abs().max() < 1e-12, f"it is {values.abs().max():.3g}")
    require(gradient.abs().max() < 1e-9, f"its gradient is {gradient.abs().max():.3g}")


@check("losses", is_divergence)
def positive_apart(loss: Loss) -> None:
    """A divergence of different answers is positive."""
    values = valued(loss, logits(1), logits(2))
    require((values > 0).all(), f"the smallest is {values.min():.6g}")


@check("losses", lambda loss: loss.kind == "label")
def lower_at_the_label(loss: Loss) -> None:
    """The loss is lower where the class of the target leads than where another one does."""
    y = target_of(loss)
    right, wrong = (3 * torch.nn.functional.one_hot(c, 4).double() for c in (y, (y + 1) % 4))
    require(
        (valued(loss, right, y) < valued(loss, wrong, y)).all(), "the loss is not lower at the right class"
    )


@check("losses")
def logit_shift(loss: Loss) -> None:
    """Adding a number to all logits of a sample changes nothing."""
    z, target, shift = logits(1), target_of(loss), logits(3)[:, :1]
    gap = (valued(loss, z + shift, target) - valued(loss, z, target)).abs().max()
    require(gap < 1e-9, f"the loss changes by {gap:.3g}")


@check("losses")
def extreme_logits(loss: Loss) -> None:
    """Value and gradient stay finite where a network is certain."""
    for dtype in (torch.float32, torch.float64):
        z = (1e3 * logits(1)).to(dtype).requires_grad_()
        target = target_of(loss)
        target = (-1e3 * target).to(dtype) if is_divergence(loss) else target
        values = valued(loss, z, target)
        (gradient,) = torch.autograd.grad(values.sum(), z)
        require(values.isfinite().all(), f"{dtype}: values {values.tolist()}")
        require(gradient.isfinite().all(), f"{dtype}: a gradient is not finite")


@check("losses")
def keeps_dtype(loss: Loss) -> None:
    """The loss has the precision of the logits, float32 or float64."""
    for dtype in (torch.float32, torch.float64):
        target = target_of(loss)
        found = valued(loss, logits(1).to(dtype), target.to(dtype) if is_divergence(loss) else target).dtype
        require(found == dtype, f"{dtype} becomes {found}")


@check("losses")
def inputs_not_written(loss: Loss) -> None:
    """Logits and target stay as they are."""
    z, target = logits(1), target_of(loss)
    valued(loss, z, target)
    require(torch.equal(z, logits(1)), "the logits were written to")
    require(torch.equal(target, target_of(loss)), "the target was written to")
