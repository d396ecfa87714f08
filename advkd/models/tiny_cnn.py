"""A network small enough to train while one waits."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from torch import nn

from advkd.errors import at_least_one
from advkd.models.normalise import pixels
from advkd.types import Real, Shape


@dataclass(frozen=True, kw_only=True)
class TinyCNN:
    """Three 3x3 convolutions with BatchNorm, of `width`, 2 and 4 times `width` channels, and a linear layer.

    Takes images of any size and channel count; 6,274 parameters at width 8 for 1x8x8 images and ten
    classes, 94,186 at width 32. For demonstrations and tests: no paper reports on it.
    """

    width: int = 8
    mean: tuple[Real, ...] = (0.0,)
    std: tuple[Real, ...] = (1.0,)

    def __post_init__(self) -> None:
        at_least_one(width=self.width)

    def __call__(self, classes: int, shape: Shape) -> nn.Module:
        """A new network for images of `shape` (C,H,W)."""
        w = self.width
        net = nn.Sequential(
            OrderedDict(
                stem=convolution(shape[0], w, 1),
                stage1=convolution(w, 2 * w, 2),
                stage2=convolution(2 * w, 4 * w, 2),
                pool=nn.AdaptiveAvgPool2d(1),
                flatten=nn.Flatten(),
                linear=nn.Linear(4 * w, classes),
            )
        )
        return pixels(net, self.mean, self.std, shape[0])


def convolution(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """3x3 convolution, BatchNorm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )
