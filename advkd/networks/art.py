"""A network as adversarial-robustness-toolbox takes it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from advkd.errors import error
from advkd.networks.modes import logits_of
from advkd.types import Shape

KNOWN_DEVICES = ("cpu", "cuda")
"""What the toolbox runs on; it moves a network from any other device to the CPU, without a word."""


def to_art(
    net: nn.Module,
    shape: Shape | None = None,
    classes: int | None = None,
    *,
    box: tuple[float, float] = (0.0, 1.0),
) -> Any:
    """`net` (pixels in `box` to logits) as a `PyTorchClassifier`, on its device and in eval mode.

    `shape` (C,H,W) is known of networks of `advkd.load` and `advkd.train`, `classes` of every network
    once it is asked about an image. The toolbox clips to `box` and preprocesses nothing: normalisation
    is a layer of the network. Its own default clips nothing, and its attacks then leave the box.

    Raises `AdvkdError` for a network of unknown image shape or on a device the toolbox does not know.
    """
    from art.estimators.classification import PyTorchClassifier

    weight = next(net.parameters(), torch.empty(0))
    if weight.device.type not in KNOWN_DEVICES:
        raise error("to_art", "runs on cpu and cuda only", given=weight.device, remedy="net.cpu()")
    shape = shape or getattr(net, "input_shape", None)
    if shape is None:
        remedy = "write its channels, height and width: to_art(net, (3, 32, 32))"
        raise error("to_art.shape", "the network does not say which images it takes", remedy=remedy)
    if classes is None:
        classes = logits_of(net, torch.zeros(1, *shape, device=weight.device)).shape[1]
    # the toolbox takes the current cuda device, whichever the network is on; ignored on the CPU
    with torch.cuda.device(weight.device if weight.is_cuda else -1):
        return PyTorchClassifier(
            _Whole(net).eval(),
            nn.CrossEntropyLoss(),
            tuple(shape),
            classes,
            clip_values=box,
            preprocessing=None,
            device_type="gpu" if weight.is_cuda else "cpu",
        )


def shaped(net: nn.Module, shape: Shape) -> nn.Module:
    """`net`, saying from now on by `input_shape` which images (C,H,W) it takes."""
    if not isinstance(net, nn.Module):
        remedy = "what makes a student gives a torch.nn.Module; advkd check model NAME tries it"
        raise error("student", "is no network", given=type(net).__name__, remedy=remedy)
    net.__dict__["input_shape"] = tuple(shape)
    return net


class _Whole(nn.Module):
    """A network as one layer: the toolbox runs a Sequential layer by layer, past its hooks."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        """(B,C,H,W) to (B,N)."""
        # some attacks of the toolbox compute in float64
        answer: Tensor = self.net(x.float())
        return answer
