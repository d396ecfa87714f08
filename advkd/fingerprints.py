"""Short names made of every number in a network, in images, in a configuration."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


def fingerprint(net: nn.Module) -> str:
    """Sixteen digits that name a network: its layers and every number in its state."""
    digest = hashlib.sha256(repr(net).encode())
    for key, value in net.state_dict().items():
        digest.update(key.encode())
        for part in _parts(value):
            digest.update(part)
    return digest.hexdigest()[:16]


def data_fingerprint(x: Tensor, y: Tensor) -> str:
    """Sixteen digits that name images and labels."""
    digest = hashlib.sha256(repr((tuple(x.shape), str(x.dtype))).encode())
    digest.update(_bytes(x))
    digest.update(_bytes(y))
    return digest.hexdigest()[:16]


def file_fingerprint(path: Path) -> str:
    """Sixteen digits that name the content of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def digits(values: Mapping[str, Any]) -> str:
    """Eight digits that name plain values, in whatever order they are."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:8]


def _parts(value: Any) -> Iterator[memoryview | bytes]:
    """What an entry of a state says; quantised layers keep packed weights and types in theirs."""
    if isinstance(value, (tuple, list)):
        for part in value:
            yield from _parts(part)
    elif not isinstance(value, Tensor):
        yield repr(value).encode()
    else:
        plain = value.dequantize() if value.is_quantized else value
        yield _bytes(plain if plain.layout is torch.strided else plain.to_dense())


def _bytes(values: Tensor) -> memoryview:
    """The numbers of a tensor of any type (numpy has no bfloat16) as they lie in memory, not copied."""
    flat = values.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data
