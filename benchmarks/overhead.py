"""What the toolkit costs beside a loop written by hand for RSLAD alone, on the same networks and engine.

    python benchmarks/overhead.py [--network resnet20] [--batch 128] [--rounds 15] [--compile always]

Both loops make the same operations: attack on the frozen twin, clean teacher once, two train-mode
forwards, each with a backward of its own, one optimiser step. Printed too: the share of random crops and
flips in a step.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
from common import SHAPE, in_turn, networks, trainer, written
from reference import attacked, kl
from torch import Tensor

from advkd.augment import Augment
from advkd.networks.engine import Engine, Fast


def by_hand(student: Fast, teacher: Fast, x: Tensor, y: Tensor) -> Callable[[], None]:  # noqa: ARG001
    """One step of RSLAD and nothing else."""
    optimizer = torch.optim.SGD(student.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            soft = teacher(x)
        student.eval()
        at = attacked(lambda at: kl(student(at), soft), x, x + 0.001 * torch.randn_like(x))
        student.train()
        (5 / 6 * kl(student(at), soft).mean()).backward()  # type: ignore[no-untyped-call]
        (1 / 6 * kl(student(x), soft).mean()).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def main() -> None:
    """Prints the overhead and the share of augmentation."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--network", default="resnet20")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--compile", default="always", choices=("always", "never"))
    options = parser.parse_args()
    x, y = torch.rand(options.batch, *SHAPE), torch.randint(10, (options.batch,))
    engine = Engine(bf16=True, compiled=options.compile == "always")
    student, teacher = (engine(net) for net in networks(options.network))
    augment, generator = Augment(crop=4, flip=True), torch.Generator()
    words = (f"compile={options.compile}", "precision=bf16")
    steps: dict[str, Callable[[], object]] = {
        "by hand": by_hand(student, teacher.eval(), x, y),
        "advkd": trainer("rslad", options.network, x, y, *words),
        "augmentation": lambda: augment(x, generator),
    }
    seconds = in_turn(steps, options.rounds)
    found = {
        "network": options.network,
        "batch": options.batch,
        "compile": options.compile,
        "seconds": seconds,
        "overhead": seconds["advkd"] / seconds["by hand"] - 1,
        "augmentation_share": seconds["augmentation"] / seconds["advkd"],
    }
    print(found)
    written("overhead" if options.compile == "always" else "overhead-uncompiled", found)


if __name__ == "__main__":
    main()
