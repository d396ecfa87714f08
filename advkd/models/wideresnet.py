"""Wide residual networks, the usual teachers."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from advkd.errors import at_least_one, error
from advkd.models.normalise import pixels
from advkd.models.residual import he_normal
from advkd.types import Real, Shape


class Block(nn.Module):
    """BatchNorm and ReLU before each of two 3x3 convolutions; 1x1 shortcut where the width changes."""

    def __init__(self, inputs: int, outputs: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.convShortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False) if inputs != outputs else None

    def forward(self, x: Tensor) -> Tensor:
        """(B,C,H,W) to the shape of the group."""
        active = F.relu(self.bn1(x))
        inner = self.dropout(F.relu(self.bn2(self.conv1(active))))
        # the 1x1 shortcut sees the activated image, the identity the raw one
        around = x if self.convShortcut is None else self.convShortcut(active)
        out: Tensor = around + self.conv2(inner)
        return out


class Group(nn.Module):
    """`count` blocks of one width; the first one may halve the size."""

    def __init__(self, inputs: int, outputs: int, stride: int, count: int, dropout: float) -> None:
        super().__init__()
        rest = [Block(outputs, outputs, 1, dropout) for _ in range(count - 1)]
        self.layer = nn.Sequential(Block(inputs, outputs, stride, dropout), *rest)

    def forward(self, x: Tensor) -> Tensor:
        """(B,C,H,W) to the shape of the group."""
        out: Tensor = self.layer(x)
        return out


class WideNet(nn.Module):
    """3x3 stem of 16 channels, three groups, BatchNorm, ReLU, global mean, linear layer."""

    def __init__(self, channels: int, classes: int, depth: int, width: int, dropout: float) -> None:
        super().__init__()
        count = (depth - 4) // 6
        self.conv1 = nn.Conv2d(channels, 16, 3, 1, 1, bias=False)
        self.block1 = Group(16, 16 * width, 1, count, dropout)
        self.block2 = Group(16 * width, 32 * width, 2, count, dropout)
        self.block3 = Group(32 * width, 64 * width, 2, count, dropout)
        self.bn1 = nn.BatchNorm2d(64 * width)
        self.fc = nn.Linear(64 * width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(B,C,H,W) of any size to logits (B,N)."""
        x = self.block3(self.block2(self.block1(self.conv1(x))))
        logits: Tensor = self.fc(F.relu(self.bn1(x)).mean((2, 3)))
        return logits


@dataclass(frozen=True, kw_only=True)
class WideResNet:
    """WRN-depth-width with activation before convolution; 46,160,474 parameters for 34-10 on CIFAR-10.

    Source: Zagoruyko, Komodakis, BMVC 2016 (arXiv 1605.07146). Names follow the code of TRADES (Zhang et
    al., ICML 2019), whose weights load; its `sub_block1` never runs and is left out here.
    """

    depth: int = 34
    width: int = 10
    dropout: Real = 0.0
    mean: tuple[Real, ...] = (0.0,)
    std: tuple[Real, ...] = (1.0,)

    def __post_init__(self) -> None:
        if self.depth < 10 or self.depth % 6 != 4:
            raise error("depth", "must be 6n + 4", given=self.depth, remedy="write 10, 16, 22, 28 or 34")
        at_least_one(width=self.width)
        if not 0 <= self.dropout < 1:
            raise error("dropout", "must lie in [0, 1)", given=self.dropout)

    def __call__(self, classes: int, shape: Shape) -> nn.Module:
        """A new network for images of `shape` (C,H,W)."""
        net = WideNet(shape[0], classes, self.depth, self.width, self.dropout)
        he_normal(net)
        nn.init.zeros_(net.fc.bias)
        return pixels(net, self.mean, self.std, shape[0])
