"""Residual networks for small images: the CIFAR family of He et al., and ResNet-18 with a CIFAR stem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from advkd.errors import at_least_one
from advkd.models.normalise import pixels
from advkd.models.residual import ResNet, he_normal
from advkd.types import Real, Shape


@dataclass(frozen=True, kw_only=True)
class ResNet8:
    """ResNet-8 for CIFAR: three stages of one block, widths `width`, 2 and 4 times that, option A shortcuts.

    Source: He, Zhang, Ren, Sun, CVPR 2016 (arXiv 1512.03385), section 4.2, depth 6n + 2 with n = 1. New
    channels are padded on both sides, as in public code; the paper does not say where.
    """

    blocks: ClassVar[Sequence[int]] = (1, 1, 1)
    width: int = 16
    mean: tuple[Real, ...] = (0.0,)
    std: tuple[Real, ...] = (1.0,)

    def __post_init__(self) -> None:
        at_least_one(width=self.width)

    def __call__(self, classes: int, shape: Shape) -> nn.Module:
        """A new network for images of `shape` (C,H,W)."""
        net = ResNet(shape[0], classes, self.width, self.blocks, projected=False)
        he_normal(net)
        return pixels(net, self.mean, self.std, shape[0])


class ResNet20(ResNet8):
    """ResNet-20 for CIFAR: as `ResNet8` with n = 3; 269,722 parameters for 3x32x32 images and ten classes."""

    blocks = (3, 3, 3)


class ResNet32(ResNet8):
    """ResNet-32 for CIFAR: as `ResNet8` with n = 5; 464,154 parameters."""

    blocks = (5, 5, 5)


class ResNet56(ResNet8):
    """ResNet-56 for CIFAR: as `ResNet8` with n = 9; 853,018 parameters."""

    blocks = (9, 9, 9)


@dataclass(frozen=True, kw_only=True)
class ResNet18(ResNet8):
    """ResNet-18 with a CIFAR stem: four stages of two blocks, 1x1 shortcuts; 11,173,962 parameters.

    Widths are `width`, 2, 4 and 8 times that; the weights are drawn as PyTorch does by default.

    Source: He et al., CVPR 2016. As in all adversarial distillation code the stem is 3x3 of stride 1,
    without max-pooling, where the paper has it for ImageNet with 7x7, stride 2 and max-pooling.
    """

    blocks = (2, 2, 2, 2)
    width: int = 64

    def __call__(self, classes: int, shape: Shape) -> nn.Module:
        """A new network for images of `shape` (C,H,W)."""
        net = ResNet(shape[0], classes, self.width, self.blocks, projected=True)
        return pixels(net, self.mean, self.std, shape[0])
