"""Random crops and flips of a whole batch at once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from advkd.errors import error


@dataclass(frozen=True, kw_only=True)
class Augment:
    """`crop` pads with that many zero pixels and cuts a random window per image; `flip` mirrors half.

    In a training, zeros below the box of the threat become its lowest pixel.

    Source: the augmentation of He et al., CVPR 2016, which the whole field uses on CIFAR (crop 4, flip).
    """

    crop: int = 0
    flip: bool = False

    def __post_init__(self) -> None:
        if self.crop < 0:
            raise error("crop", "must not be negative", given=self.crop)

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Augmented images, shape as `x` (B,C,H,W); draws come from `generator`, on the CPU."""
        b, _, h, w = x.shape
        if self.crop:
            corners = torch.randint(2 * self.crop + 1, (2, b, 1), generator=generator).to(x.device)
            rows = corners[0] + torch.arange(h, device=x.device)
            columns = corners[1] + torch.arange(w, device=x.device)
            padded = F.pad(x, [self.crop] * 4)
            samples = torch.arange(b, device=x.device)[:, None, None]
            # channels come last after indexing around them
            x = padded[samples, :, rows[:, :, None], columns[:, None, :]].movedim(-1, 1)
        if self.flip:
            mirrored = torch.rand(b, generator=generator).to(x.device) < 0.5
            x = torch.where(mirrored[:, None, None, None], x.flip(3), x)
        return x
