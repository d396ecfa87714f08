"""Losses with one fault each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from advkd.registry import load
from advkd.testing.mutants import planted


@dataclass(frozen=True, kw_only=True)
class Loss:
    """A loss that is all fault."""

    run: Callable[[Tensor, Tensor], Tensor]
    kind: str = "label"

    def __call__(self, logits: Tensor, target: Tensor) -> Tensor:
        """(B,N) and a target to (B,)."""
        return self.run(logits, target)


def ce(logits: Tensor, target: Tensor) -> Tensor:
    """A right loss of labels."""
    return F.cross_entropy(logits, target, reduction="none")


def kl(logits: Tensor, target: Tensor) -> Tensor:
    """A right divergence."""
    value: Tensor = load("losses", "kl")()(logits, target)
    return value


fault = planted("losses", Loss)


@planted("losses", Loss, kind="labels")
def declares_its_kind(logits: Tensor, target: Tensor) -> Tensor:
    """A kind that does not exist."""
    return -(target.to(logits).softmax(1) * logits.log_softmax(1)).sum(1)


@fault
def per_sample(logits: Tensor, target: Tensor) -> Tensor:
    """The mean over the batch, once per sample."""
    return ce(logits, target).mean().expand(len(target))


@fault
def keeps_device(logits: Tensor, target: Tensor) -> Tensor:
    """It begins a sum on the CPU."""
    return torch.zeros(len(target)) + ce(logits, target)


@fault
def gradcheck(logits: Tensor, target: Tensor) -> Tensor:
    """Half of the gradient is cut off."""
    return logits.logsumexp(1).detach() - logits.gather(1, target[:, None]).squeeze(1)


@planted("losses", Loss, kind="divergence")
def zero_at_equality(logits: Tensor, target: Tensor) -> Tensor:
    """The cross-entropy, which keeps the entropy of the target."""
    return -(target.softmax(1) * logits.log_softmax(1)).sum(1)


@planted("losses", Loss, kind="divergence")
def positive_apart(logits: Tensor, target: Tensor) -> Tensor:
    """The sign is wrong."""
    return -kl(logits, target)


@fault
def lower_at_the_label(logits: Tensor, target: Tensor) -> Tensor:
    """The sign is wrong."""
    return -ce(logits, target)


@fault
def logit_shift(logits: Tensor, target: Tensor) -> Tensor:
    """It punishes large logits, too."""
    return ce(logits, target) + logits.square().sum(1) / 100


@fault
def extreme_logits(logits: Tensor, target: Tensor) -> Tensor:
    """The logarithm of a probability that may be zero."""
    return -logits.softmax(1).log().gather(1, target[:, None]).squeeze(1)


@fault
def keeps_dtype(logits: Tensor, target: Tensor) -> Tensor:
    """It answers in double precision."""
    return ce(logits, target).double()


@fault
def inputs_not_written(logits: Tensor, target: Tensor) -> Tensor:
    """It shifts the logits where they are."""
    if not logits.requires_grad:
        logits.sub_(logits.amax(1, keepdim=True))
    return ce(logits, target)
