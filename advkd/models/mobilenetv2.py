"""MobileNetV2 for small images."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from advkd.errors import error
from advkd.models.normalise import pixels
from advkd.types import Real, Shape

STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 1),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion, channels, blocks and first stride of each stage."""


class Inverted(nn.Module):
    """1x1 expansion, 3x3 convolution by channel, 1x1 projection; a shortcut around it at stride 1."""

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int) -> None:
        super().__init__()
        inner = expansion * inputs
        self.conv1 = nn.Conv2d(inputs, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, 1, groups=inner, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.around = stride == 1
        self.shortcut = nn.Sequential()
        if self.around and inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(B,C,H,W) to the shape of the stage."""
        inner = F.relu(self.bn1(self.conv1(x)))
        inner = F.relu(self.bn2(self.conv2(inner)))
        out: Tensor = self.bn3(self.conv3(inner))
        return out + self.shortcut(x) if self.around else out


class MobileNet(nn.Module):
    """3x3 stem of stride 1, inverted residual blocks, 1x1 convolution, global mean, linear layer."""

    def __init__(self, channels: int, classes: int, width: float) -> None:
        super().__init__()
        inputs = scaled(32, width)
        self.conv1 = nn.Conv2d(channels, inputs, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inputs)
        blocks = []
        for expansion, wanted, count, stride in STAGES:
            outputs = scaled(wanted, width)
            for i in range(count):
                blocks.append(Inverted(inputs, outputs, expansion, 1 if i else stride))
                inputs = outputs
        self.layers = nn.Sequential(*blocks)
        last = scaled(1280, max(1.0, width))
        self.conv2 = nn.Conv2d(inputs, last, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(last)
        self.linear = nn.Linear(last, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(B,C,H,W) of any size to logits (B,N)."""
        x = self.layers(F.relu(self.bn1(self.conv1(x))))
        x = F.relu(self.bn2(self.conv2(x)))
        logits: Tensor = self.linear(x.mean((2, 3)))
        return logits


def scaled(channels: int, width: float) -> int:
    """`channels` times `width`, to the nearest multiple of 8, at least 8."""
    return max(8, int(channels * width / 8 + 0.5) * 8)


@dataclass(frozen=True, kw_only=True)
class MobileNetV2:
    """MobileNetV2 as the CIFAR experiments of adversarial distillation use it; 2,296,922 parameters.

    Source: Sandler, Howard, Zhu, Zhmoginov, Chen, CVPR 2018 (arXiv 1801.04381), in the public CIFAR
    version: stem and second stage of stride 1, ReLU for ReLU6, a 1x1 shortcut where channels change at
    stride 1. Weights of the ImageNet version do not fit. As in the paper, `width` below 1 leaves the
    last convolution at 1280.
    """

    width: Real = 1.0
    mean: tuple[Real, ...] = (0.0,)
    std: tuple[Real, ...] = (1.0,)

    def __post_init__(self) -> None:
        if self.width <= 0:
            raise error("width", "must be positive", given=self.width)

    def __call__(self, classes: int, shape: Shape) -> nn.Module:
        """A new network for images of `shape` (C,H,W)."""
        return pixels(MobileNet(shape[0], classes, self.width), self.mean, self.std, shape[0])
