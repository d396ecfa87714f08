"""Where the time of one training step goes, by kind of operation.

    python benchmarks/breakdown.py [--networks resnet20,resnet18] [--preset rslad] [--words compile=never]

For each network: the share of every kind in the processor's own time, and how much of a matrix product's
rate, measured in the same run, the step reaches as a whole and the convolutions reach alone. Uncompiled, an
operation is one kernel; compiled, a fused kernel counts as all that was fused into it.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable

import torch
from common import SHAPE, ceiling, fast_dtype, in_turn, networks, trainer, written
from step import TRAINED
from torch._inductor import config as inductor
from torch.profiler import ProfilerActivity, profile

from advkd.networks.engine import flops_of

KINDS = {
    "convolution, forward": ("mkldnn_convolution", "_convolution_pointwise", "conv2d"),
    "convolution, backward": ("convolution_backward",),
    "fused by the compiler": ("graph_", "cpp_fused"),
    "normalisation": ("batch_norm",),
    "activation": ("threshold_backward", "clamp_min", "relu", "hardtanh"),
    "conversion and copies": ("copy_", "_to_copy", "to", "contiguous", "clone", "cat", "stack"),
}
"""Which kernels make a kind, by a part of their name; what none takes is `other`."""


def kinds(step: Callable[[], None], steps: int = 5) -> Counter[str]:
    """Seconds of one step on the processor, by kind."""
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        for _ in range(steps):
            step()
    found: Counter[str] = Counter()
    for event in seen.key_averages():
        name = event.key.removeprefix("aten::").removeprefix("mkldnn::")
        kind = next((kind for kind, parts in KINDS.items() if _is(name, parts)), "other")
        found[kind] += event.self_cpu_time_total / 1e6 / steps
    return found


def _is(name: str, parts: tuple[str, ...]) -> bool:
    return any(name == part or (len(part) > 4 and part in name) for part in parts)


def main() -> None:
    """Prints one row for each network and kind."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--networks", default="tiny-cnn,resnet20,resnet18")
    parser.add_argument("--preset", default="rslad", choices=TRAINED)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--words", default="compile=never")
    parser.add_argument("--name", default="breakdown")
    options = parser.parse_args()
    inductor.cpp.enable_kernel_profile = True
    x = torch.rand(options.batch, *SHAPE, generator=torch.Generator().manual_seed(0))
    y = torch.randint(10, (options.batch,), generator=torch.Generator().manual_seed(1))
    dtype = fast_dtype()
    rows = []
    print(f"ceiling {ceiling(dtype) / 1e12:.2f} TFLOP/s in {dtype}")
    for network in options.networks.split(","):
        step = trainer(options.preset, network, x, y, *options.words.split(","))
        seconds, most = in_turn({"step": step}, options.rounds)["step"], ceiling(dtype)
        found = kinds(step)
        shares = {kind: spent / sum(found.values()) for kind, spent in found.most_common()}
        passes = 20 + 3 * TRAINED[options.preset] + (options.preset != "pgd-at")
        flops = passes * flops_of(networks(network)[0], SHAPE, torch.device("cpu")) * options.batch
        reached = flops / seconds / most
        convolutions = sum(share for kind, share in shares.items() if kind.startswith("convolution"))
        row = {
            "network": network,
            "seconds": seconds,
            "share_of_ceiling": reached,
            "convolutions_share_of_ceiling": reached / convolutions,
            "shares": shares,
        }
        rows.append(row)
        print(f"{network}  {seconds:.3f} s  {reached:.0%} of the ceiling")
        print(f"  convolutions alone {reached / convolutions:.0%}")
        print(*(f"  {share:6.1%}  {kind}" for kind, share in shares.items()), sep="\n", flush=True)
        about = {"preset": options.preset, "batch": options.batch, "words": options.words}
        written(options.name, {**about, "rows": rows})


if __name__ == "__main__":
    main()
