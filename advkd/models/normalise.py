"""Normalisation as the first layer of a network, so that everything outside it speaks of pixels."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from advkd.errors import error


class Normalise(nn.Module):
    """(x - mean) / std by channel for images (B,C,H,W); the buffers `mean` and `std` are (1,C,1,1)."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(B,C,H,W) to the same shape."""
        return (x - self.mean) / self.std


def pixels(net: nn.Module, mean: Sequence[float], std: Sequence[float], channels: int) -> nn.Sequential:
    """`net` behind its normalisation: a Sequential with the children `normalise` and `net`.

    One number stands for all channels. Mean 0 and std 1, the defaults of the models here, change
    nothing: the code of the adversarial distillation literature feeds raw pixels in [0,1].
    """
    if not all(value > 0 for value in std):
        raise error("std", "must be positive", given=list(std))
    layer = Normalise(_spread("mean", mean, channels), _spread("std", std, channels))
    return nn.Sequential(OrderedDict(normalise=layer, net=net))


def _spread(place: str, values: Sequence[float], channels: int) -> list[float]:
    if len(values) not in (1, channels):
        raise error(
            place,
            f"needs one number, or one for each of the {channels} channels",
            given=list(values),
        )
    return [float(value) for value in values] * (channels if len(values) == 1 else 1)
