"""Two small networks in single precision, and images for them."""

from __future__ import annotations

import torch
from parts import small_net
from torch import nn

from advkd.types import Batch


def nets() -> dict[str, nn.Module]:
    made = {"student": small_net(4, seed=1).float().train(), "teacher": small_net(8, seed=2).float().eval()}
    made["teacher"].requires_grad_(False)
    return made


def batch() -> Batch:
    x = torch.rand(24, 1, 6, 6, generator=torch.Generator().manual_seed(3))
    return Batch(x, torch.arange(24) % 5)
