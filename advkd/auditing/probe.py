"""Flags that the network itself raises, before any attack: does it mean what attacks assume?"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from advkd.admission import probable
from advkd.errors import error
from advkd.networks.modes import buffers_kept, evaluating, logits_of
from advkd.registry import load
from advkd.types import Batch, Threat, per_sample
from advkd.walk import CutOffError, value_and_gradient

MODAL = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)
"""Layers that answer otherwise in train mode."""


@dataclass(frozen=True, kw_only=True)
class Flag:
    """A reason to doubt a verdict: what was seen, the numbers, and what to do about it."""

    name: str
    says: str
    evidence: str
    remedy: str

    @property
    def about(self) -> dict[str, str]:
        """As `result.json` holds it."""
        return dict(vars(self))


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A few examples the network gets right, and what is known of it.

    `clean` is its accuracy on `n` examples, `chance` that of always giving one answer, `record` what its
    file says it should be; `training` names layers that were in train mode when it was given. It is asked
    about `size` images at a time.
    """

    net: nn.Module
    batch: Batch
    threat: Threat
    clean: float
    chance: float
    n: int
    size: int
    record: Mapping[str, Any] = field(default_factory=dict)
    training: tuple[str, ...] = ()

    def gradient(self, loss: str) -> tuple[Tensor, Tensor] | None:
        """The loss (B,) and its gradient at the images; None where no gradient reaches them."""
        return gradient(self.net, "model", self.parts, loss)

    @property
    def parts(self) -> list[Batch]:
        """The examples, `size` at a time."""
        return parts(self.batch, self.size)

    def logits(self, x: Tensor | None = None) -> Tensor:
        """What the network answers, its buffers as before."""
        images = self.batch.x if x is None else x
        with buffers_kept(self.net):
            return torch.cat([logits_of(self.net, part) for part in torch.split(images, self.size)])


def parts(batch: Batch, size: int) -> list[Batch]:
    """A batch, `size` examples at a time."""
    pairs = (torch.split(of, size) for of in (batch.x, batch.y))
    return [Batch(x, y) for x, y in zip(*pairs, strict=True)]


def gradient(net: nn.Module, who: str, parts: Sequence[Batch], loss: str) -> tuple[Tensor, Tensor] | None:
    """The loss (B,) of `net` and its gradient at the images of all parts; None where none reaches them.

    Raises `AdvkdError` that names `who` where the network fails.
    """
    measure = load("losses", loss)()

    def risen(part: Batch) -> tuple[Tensor, Tensor]:
        return value_and_gradient(lambda x: measure(net(x), part.y), part.x)

    try:
        with evaluating(net), buffers_kept(net):
            values, gradients = zip(*map(risen, parts), strict=True)
    except CutOffError:
        return None
    # the network is somebody's code and fails in its own way
    except Exception as cause:
        problem = f"fails when its gradient is asked for: {type(cause).__name__}: {cause}"
        raise error(who, problem, remedy="repair it, or set a smaller batch_size") from cause
    return torch.cat(values), torch.cat(gradients)


def left_in_train_mode(net: nn.Module) -> tuple[str, ...]:
    """Layers in train mode for which that matters."""
    return tuple(
        name or "the model" for name, m in net.named_modules() if m.training and isinstance(m, MODAL)
    )


def zero_gradient(probe: Probe) -> Flag | None:
    """Gradients at the images that are zero, not finite, or not there."""
    found = {loss: probe.gradient(loss) for loss in ("margin", "ce")}
    if found["margin"] is None:
        evidence = "no gradient reaches the image at all"
    else:
        bad = {
            loss: (~torch.isfinite(pair[1]).flatten(1).all(1) | ~pair[1].flatten(1).any(1)).float().mean()
            for loss, pair in found.items()
            if pair is not None
        }
        if max(bad.values()) <= 0.02:
            return None
        evidence = ", ".join(f"{100 * share:.0f} % of the images on {loss}" for loss, share in bad.items())
    return Flag(
        name="zero-gradient",
        says="gradients are zero or not finite where attacks begin",
        evidence=evidence,
        remedy="gradient attacks are blind there: use black-box attacks, or bypass the layer at fault",
    )


def probabilities(probe: Probe) -> Flag | None:
    """Outputs that are probabilities: their logarithm's gradient vanishes where the net is sure."""
    answer = probe.logits()
    if not probable(answer):
        return None
    return Flag(
        name="probabilities",
        says="the network answers with probabilities, not logits",
        evidence=f"all outputs of {len(answer)} images lie in [0,1] and sum to 1",
        remedy="leave out the softmax: the losses of all attacks expect logits",
    )


def random_forward(probe: Probe) -> Flag | None:
    """Different answers to the same images."""
    answers = torch.stack([probe.logits() for _ in range(5)])
    answers = answers / answers.flatten(2).norm(dim=2, keepdim=True).clamp_min(1e-10)
    change = (answers - answers[0]).norm(dim=2).max().item()
    if not change > 1e-4:
        return None
    return Flag(
        name="random-forward",
        says="the same image gets different answers",
        evidence=f"over 5 passes the direction of the logits moves by {change:.2g}",
        remedy="turn the randomness off, or judge a network whose forward averages the logits of many passes",
    )


def train_mode(probe: Probe) -> Flag | None:
    """Layers in train mode, running statistics that move, answers that depend on the rest of the batch."""
    evidence = []
    if probe.training:
        more = f" and {len(probe.training) - 3} more" if len(probe.training) > 3 else ""
        evidence.append(f"given in train mode: {', '.join(probe.training[:3])}{more} (judged in eval mode)")
    before = copy.deepcopy(list(probe.net.buffers()))
    with buffers_kept(probe.net):
        alone = torch.cat([logits_of(probe.net, x[None]) for x in probe.batch.x[:16]])
        moved = any(not torch.equal(a, b) for a, b in zip(before, probe.net.buffers(), strict=True))
    if moved:
        evidence.append("a forward pass in eval mode changes its buffers")
    together = probe.logits()[:16]
    change = ((alone - together).norm(dim=1) / together.norm(dim=1).clamp_min(1e-10)).max().item()
    if not change <= 1e-2:
        evidence.append(f"logits of an image alone and among others differ by {100 * change:.2g} %")
    if not evidence:
        return None
    return Flag(
        name="train-mode",
        says="layers behave as in training",
        evidence="; ".join(evidence),
        remedy="call model.eval(); BatchNorm must use its running statistics",
    )


def non_differentiable(probe: Probe) -> Flag | None:
    """An input layer that swallows small changes, or gradients that are not those of the forward pass."""
    evidence = []
    generator = torch.Generator().manual_seed(0)
    signs = torch.randint(0, 2, probe.batch.x.shape, generator=generator).to(probe.batch.x) * 2 - 1
    low, high = probe.threat.box
    nudged = (probe.batch.x + 1e-4 * signs).clamp(low, high)
    same = (probe.logits(nudged) == probe.logits()).all(1).float().mean().item()
    if same > 0.1:
        evidence.append(f"moving every pixel by 0.0001 changes no logit on {100 * same:.0f} % of images")
    ratio = _slope_ratio(probe)
    if ratio is not None and not 0.5 <= ratio <= 1.5:
        evidence.append(f"the loss rises {ratio:.2g} times as much as its gradient says")
    if not evidence:
        return None
    return Flag(
        name="non-differentiable",
        says="the gradient is not that of the forward pass",
        evidence="; ".join(evidence),
        remedy="a quantiser or the like hides the slope: skip that layer in the backward pass (BPDA)",
    )


def _slope_ratio(probe: Probe) -> float | None:
    """Median of measured over predicted rise of the margin along its gradient."""
    found = probe.gradient("margin")
    if found is None:
        return None
    gradient, (low, high) = found[1], probe.threat.box
    length = per_sample(gradient.flatten(1).norm(dim=1).clamp_min(1e-12), gradient)
    step = 1e-3 * gradient[0].numel() ** 0.5 * gradient / length
    ends = [(probe.batch.x + side * step).clamp(low, high) for side in (1, -1)]
    predicted = (gradient * (ends[0] - ends[1])).flatten(1).sum(1)
    margin = load("losses", "margin")()
    rise = margin(probe.logits(ends[0]), probe.batch.y) - margin(probe.logits(ends[1]), probe.batch.y)
    known = predicted > 1e-6
    return (rise[known] / predicted[known]).median().item() if known.any() else None
