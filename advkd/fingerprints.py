"""Short names for networks and images, made of every number in them."""

from __future__ import annotations

import hashlib

from torch import Tensor, nn


def fingerprint(net: nn.Module) -> str:
    """Sixteen digits that name a network: its layers and every number in its state."""
    digest = hashlib.sha256(repr(net).encode())
    for key, value in net.state_dict().items():
        digest.update(key.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def data_fingerprint(x: Tensor, y: Tensor) -> str:
    """Sixteen digits that name images and labels."""
    digest = hashlib.sha256(repr((tuple(x.shape), str(x.dtype))).encode())
    digest.update(x.contiguous().numpy().tobytes() + y.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
