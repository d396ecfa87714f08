"""Is an audit's search faster compiled, and in which chunks? Gradients of 512 images, in turn, one thread.

    python benchmarks/search.py

A compiled network is called in chunks of a fixed size (`advkd.auditing.search.CHUNKS` in an audit), others in
whole batches.
Prints images per second, medians over five rounds, and writes `benchmarks/results/search.json`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from common import SHAPE, fast_dtype, in_turn, networks, written
from torch import Tensor, nn

from advkd.auditing.search import Search
from advkd.networks.engine import Engine

N, CALLS, CHUNKED = 512, 4, (64, 128, 256)
CASES = (("tiny-cnn", SHAPE), ("tiny-cnn", (1, 28, 28)), ("resnet20", SHAPE))


def asked(search: Search, x: Tensor) -> None:
    """The gradient of the images, as an attack asks for it."""
    for _ in range(CALLS):
        at = x.clone().requires_grad_()
        torch.autograd.grad(search(at).square().sum(), at)


def rates(net: nn.Module, x: Tensor, bf16: bool) -> dict[str, float]:
    """Images per second, in whole batches and compiled, by the size of a chunk."""
    ways: dict[str, Callable[[], object]] = {
        "whole batches": partial(asked, Search(net, Engine(bf16, False)), x)
    }
    for large in CHUNKED:
        search = Search(net, Engine(bf16, True))
        search.sizes = (large, 32)
        ways[f"compiled, {large}"] = partial(asked, search, x)
    return {name: N * CALLS / seconds for name, seconds in in_turn(ways).items()}


def main() -> None:
    """Measures each network both ways."""
    torch.set_num_threads(1)
    bf16, rows = fast_dtype() is torch.bfloat16, []
    for name, shape in CASES:
        found = rates(networks(name, shape=shape)[0], torch.rand(N, *shape), bf16)
        print(
            f"{name:10} {'x'.join(map(str, shape)):8}", *(f"{way} {rate:.0f}" for way, rate in found.items())
        )
        rows.append({"network": name, "shape": shape, "images per second": found})
    written("search", {"bf16": bf16, "rows": rows})


if __name__ == "__main__":
    main()
