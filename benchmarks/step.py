"""Images/s of one training step of the toolkit against the plain loop of `reference.py`, in turn.

    python benchmarks/step.py [--networks resnet20,resnet18] [--presets rslad] [--batch 128]

For every preset that has a reference the ratio is to the same method; for the others to RSLAD's. The share
of the ceiling (of bf16 where that is fast, else of float32) counts the passes of the method: 2 forward costs
for an image's gradient, 3 for a training pass.
"""

from __future__ import annotations

import argparse

import reference
import torch
from common import NETWORKS, SHAPE, ceiling, fast_dtype, in_turn, networks, trainer, written

from advkd.networks.engine import flops_of

TRAINED = {"pgd-at": 1, "ard": 1, "adaad": 1, "rslad": 2, "iad": 2}
"""Train-mode passes of the methods whose share of the ceiling is computed; all take ten attack steps."""


def main() -> None:
    """Prints one row for each network and preset."""
    options = asked()
    x = torch.rand(options.batch, *SHAPE, generator=torch.Generator().manual_seed(0))
    y = torch.randint(10, (options.batch,), generator=torch.Generator().manual_seed(1))
    dtype = fast_dtype()
    most = ceiling(dtype)
    print(f"ceiling {most / 1e12:.2f} TFLOP/s in {dtype}, {ceiling(torch.float32) / 1e12:.2f} in float32")
    rows = []
    for network in options.networks.split(","):
        flops = flops_of(networks(network)[0], SHAPE, torch.device("cpu"))
        for preset in options.presets.split(","):
            row = raced(network, preset, x, y, options)
            if preset in TRAINED:
                passes = 20 + 3 * TRAINED[preset] + (preset != "pgd-at")
                row["share_of_ceiling"] = passes * flops * row["advkd_images_per_second"] / most
            rows.append(row)
            print(
                "  ".join(f"{k} {v:.3g}" if isinstance(v, float) else f"{v}" for k, v in row.items()),
                flush=True,
            )
            written(options.name, {"batch": options.batch, "rounds": options.rounds, "rows": rows})


def asked() -> argparse.Namespace:
    """What is typed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--presets", default="rslad,pgd-at,ard,iad,adaad,path-dual")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--words", default="compile=always")
    parser.add_argument("--name", default="step")
    return parser.parse_args()


def raced(
    network: str, preset: str, x: torch.Tensor, y: torch.Tensor, options: argparse.Namespace
) -> dict[str, str | float]:
    """Images a second of the toolkit and of the reference loop, taken in turn."""
    against = preset if preset in reference.METHODS else "rslad"
    steps = {
        "reference": reference.stepper(against, *networks(network), x, y),
        "advkd": trainer(preset, network, x, y, *options.words.split(",")),
    }
    seconds = in_turn(steps, options.rounds)
    return {
        "network": network,
        "preset": preset,
        "reference": against,
        **{f"{name}_images_per_second": options.batch / s for name, s in seconds.items()},
        "ratio": seconds["reference"] / seconds["advkd"],
    }


if __name__ == "__main__":
    main()
