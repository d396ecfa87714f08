"""The network behind the ResNet models."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F


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

    def __init__(
        self, channels: int, classes: int, width: int, blocks: Sequence[int], projected: bool
    ) -> None:
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
