"""Short names for networks and images, made of every number in them."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor, nn


def fingerprint(net: nn.Module) -> str:
    """Sixteen digits that name a network: its layers and every number in its state."""
    digest = hashlib.sha256(repr(net).encode())
    for key, value in net.state_dict().items():
        digest.update(key.encode())
        digest.update(_bytes(value))
    return digest.hexdigest()[:16]


def data_fingerprint(x: Tensor, y: Tensor) -> str:
    """Sixteen digits that name images and labels."""
    digest = hashlib.sha256(repr((tuple(x.shape), str(x.dtype))).encode())
    digest.update(_bytes(x))
    digest.update(_bytes(y))
    return digest.hexdigest()[:16]


def _bytes(values: Tensor) -> memoryview:
    """The numbers of a tensor of any type (numpy has no bfloat16) as they lie in memory, not copied."""
    flat = values.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data
