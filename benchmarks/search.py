"""Is an audit's search faster than the network itself? Gradients of 512 images, in turn, one thread.

    python benchmarks/search.py

The network itself takes them as one batch, in float32; its folded twin, in bf16 where that is fast, in chunks
of one size or another (`advkd.auditing.search.CHUNKS` in an audit), compiled or not.
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

N, CALLS, CHUNKED = 512, 2, (64, 128, 256)
CASES = (("tiny-cnn", SHAPE), ("tiny-cnn", (1, 28, 28)), ("resnet20", SHAPE))


def asked(net: nn.Module, x: Tensor) -> None:
    """The gradient of the images, as an attack asks for it."""
    for _ in range(CALLS):
        at = x.clone().requires_grad_()
        torch.autograd.grad(net(at).square().sum(), at)


def rates(net: nn.Module, x: Tensor, bf16: bool) -> dict[str, float]:
    """Images per second of the network and of its twins, by the size of a chunk."""
    ways: dict[str, Callable[[], object]] = {"itself": partial(asked, net, x)}
    for compiled in (False, True):
        for most in CHUNKED:
            search = Search(net, Engine(bf16, compiled), (most, 32))
            ways[f"{'compiled' if compiled else 'twin'}, {most}"] = partial(asked, search, x)
    return {name: N * CALLS / seconds for name, seconds in in_turn(ways).items()}


def main() -> None:
    """Measures each network both ways."""
    torch.set_num_threads(1)
    bf16, rows = fast_dtype() is torch.bfloat16, []
    for name, shape in CASES:
        found = rates(networks(name, shape=shape)[0].eval(), torch.rand(N, *shape), bf16)
        print(
            f"{name:10} {'x'.join(map(str, shape)):8}", *(f"{way} {rate:.0f}" for way, rate in found.items())
        )
        rows.append({"network": name, "shape": shape, "images per second": found})
    written("search", {"bf16": bf16, "rows": rows})


if __name__ == "__main__":
    main()
