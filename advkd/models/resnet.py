"""Residual networks for small images: the CIFAR family of He et al., and ResNet-18 with a CIFAR stem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from advkd.errors import error
from advkd.models.normalise import pixels
from advkd.types import Real, Shape


class Block(nn.Module):
    """Two 3x3 convolutions and a shortcut around them.

    Where the width changes the shortcut is a 1x1 convolution with BatchNorm (`projected`) or, without
    parameters, every second pixel with zeros in the new channels (option A of the paper).
    """

    def __init__(self, inputs: int, outputs: int, stride: int, projected: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Sequential()
        if inputs != outputs and projected:
            convolution = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.shortcut = nn.Sequential(convolution, nn.BatchNorm2d(outputs))
        elif inputs != outputs:
            before, odd = divmod(outputs - inputs, 2)
            padding = nn.ZeroPad3d((0, 0, 0, 0, before, before + odd))
            self.shortcut = nn.Sequential(nn.AvgPool2d(1, stride), padding)

    def forward(self, x: Tensor) -> Tensor:
        """(B,C,H,W) to the shape of the stage."""
        inner = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(inner)) + self.shortcut(x))


class ResNet(nn.Module):
    """3x3 stem of stride 1, stages `layer1`, `layer2`, ... that halve size and double width, global mean.

    `blocks` counts the blocks of each stage. Names follow the public CIFAR ResNets, whose weights load.
    """

    def __init__(self, channels: int, classes: int, width: int, blocks: Sequence[int], projected: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.stages = [f"layer{i + 1}" for i in range(len(blocks))]
        for i, (name, count) in enumerate(zip(self.stages, blocks, strict=True)):
            outputs = width * 2**i
            first = Block(outputs // 2 if i else width, outputs, 2 if i else 1, projected)
            rest = [Block(outputs, outputs, 1, projected) for _ in range(count - 1)]
            self.add_module(name, nn.Sequential(first, *rest))
        self.linear = nn.Linear(width * 2 ** (len(blocks) - 1), classes)

    def forward(self, x: Tensor) -> Tensor:
        """(B,C,H,W) of any size to logits (B,N)."""
        x = F.relu(self.bn1(self.conv1(x)))
        for name in self.stages:
            x = self.get_submodule(name)(x)
        logits: Tensor = self.linear(x.mean((2, 3)))
        return logits


def he_normal(net: nn.Module) -> None:
    """Draws the convolutions from a normal distribution of variance 2 / (outputs * kernel size)."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


@dataclass(frozen=True, kw_only=True)
class ResNet8:
    """Three stages of n = 1 block, widths `width`, 2 and 4 times that, option A shortcuts.

    Source: He, Zhang, Ren, Sun, CVPR 2016 (arXiv 1512.03385), section 4.2, whose depth is 6n + 2. New
    channels are padded on both sides, as public code does; the paper does not say where.
    """

    blocks: ClassVar[Sequence[int]] = (1, 1, 1)
    width: int = 16
    mean: tuple[Real, ...] = (0.0,)
    std: tuple[Real, ...] = (1.0,)

    def __post_init__(self) -> None:
        if self.width < 1:
            raise error("width", "must be at least 1", given=self.width)

    def __call__(self, classes: int, shape: Shape) -> nn.Module:
        """A new network for images of `shape` (C,H,W)."""
        net = ResNet(shape[0], classes, self.width, self.blocks, projected=False)
        he_normal(net)
        return pixels(net, self.mean, self.std, shape[0])


class ResNet20(ResNet8):
    """`ResNet8` with n = 3; 269,722 parameters for 3x32x32 images and ten classes."""

    blocks = (3, 3, 3)


class ResNet32(ResNet8):
    """`ResNet8` with n = 5; 464,154 parameters."""

    blocks = (5, 5, 5)


class ResNet56(ResNet8):
    """`ResNet8` with n = 9; 853,018 parameters."""

    blocks = (9, 9, 9)


@dataclass(frozen=True, kw_only=True)
class ResNet18(ResNet8):
    """Four stages of two blocks, widths 64 to 512, 1x1 shortcuts; 11,173,962 parameters on CIFAR-10.

    Source: He et al., CVPR 2016, with the stem of adversarial distillation code: 3x3, stride 1, no
    max-pooling. Drawn as PyTorch does by default, like that code.
    """

    blocks = (2, 2, 2, 2)
    width: int = 64

    def __call__(self, classes: int, shape: Shape) -> nn.Module:
        """A new network for images of `shape` (C,H,W)."""
        net = ResNet(shape[0], classes, self.width, self.blocks, projected=True)
        return pixels(net, self.mean, self.std, shape[0])
