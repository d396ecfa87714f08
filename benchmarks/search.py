"""Is an audit's search faster compiled? Gradients of 512 images by a small network, in turn, one thread.

    python benchmarks/search.py

A compiled network is called in chunks of fixed size (`advkd.auditing.search.CHUNKS`), others in whole
batches.
Prints images per second, medians over five rounds, and writes `benchmarks/results/search.json`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from common import SHAPE, fast_dtype, in_turn, networks, written
from torch import Tensor

from advkd.auditing.search import Search
from advkd.networks.engine import Engine

N, CALLS = 512, 4


def asked(search: Search, x: Tensor) -> None:
    """The gradient of the images, as an attack asks for it."""
    for _ in range(CALLS):
        at = x.clone().requires_grad_()
        torch.autograd.grad(search(at).square().sum(), at)


def main() -> None:
    """Measures the tiny CNN both ways."""
    torch.set_num_threads(1)
    net, x = networks("tiny-cnn")[0], torch.rand(N, *SHAPE)
    bf16 = fast_dtype() is torch.bfloat16
    ways: dict[str, Callable[[], object]] = {
        name: partial(asked, Search(net, Engine(bf16, compiled)), x)
        for name, compiled in (("whole batches", False), ("compiled, in chunks", True))
    }
    rates = {name: N * CALLS / seconds for name, seconds in in_turn(ways).items()}
    for name, rate in rates.items():
        print(f"{name:20} {rate:8.0f} images/s")
    written("search", {"network": "tiny-cnn", "bf16": bf16, "images per second": rates})


if __name__ == "__main__":
    main()
