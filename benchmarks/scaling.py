"""How the time of a training step grows: with threads, batch, attack steps K, branches and classes.

    python benchmarks/scaling.py [--network resnet20] [--rounds 5] [--compile never]

Uncompiled unless asked, since every row would be compiled anew; bf16 where the machine has it. One axis
at a time, around batch 128, K=10, ten classes and all threads. Thread counts are measured in turn.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

import torch
from common import SHAPE, in_turn, trainer, written

K = "method.branches.untargeted.attack.steps"
DUAL = (f"{K}=10", "method.branches.targeted.attack.steps=10")
DRAWN = tuple(f"method.branches.{name}.terms.path.draw=all" for name in ("untargeted", "targeted"))

Row = tuple[str, object, str, int, int, tuple[str, ...]]


def cases() -> Iterator[Row]:
    """Axis, value, preset, batch, classes, words."""
    yield from (("batch", batch, "rslad", batch, 10, ()) for batch in (32, 64, 128, 256, 512))
    yield from (("K", k, "rslad", 128, 10, (f"{K}={k}",)) for k in (1, 5, 10, 20))
    yield from (
        ("branches", preset, preset, 128, 10, ()) for preset in ("path-end", "path-single", "path-dual")
    )
    yield "branches", "path-dual, draw all", "path-dual", 128, 10, DRAWN
    yield from (("classes", n, "path-dual", 128, n, DUAL) for n in (10, 100, 1000))


def on_threads(step: Callable[[], None], n: int) -> Callable[[], None]:
    """The step on so many threads."""

    def called() -> None:
        torch.set_num_threads(n)
        step()

    return called


def main() -> None:
    """Prints a row per value of each axis."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--network", default="resnet20")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--compile", default="never", choices=("always", "never"))
    options = parser.parse_args()
    most, rows = torch.get_num_threads(), []

    def made(preset: str, batch: int, classes: int, *words: str) -> Callable[[], None]:
        x, y = torch.rand(batch, *SHAPE), torch.randint(classes, (batch,))
        return trainer(preset, options.network, x, y, f"compile={options.compile}", *words, classes=classes)

    for axis, value, preset, batch, classes, words in cases():
        seconds = in_turn({"step": made(preset, batch, classes, *words)}, options.rounds)["step"]
        rows.append({"axis": axis, "value": value, "seconds": seconds, "images_per_second": batch / seconds})
        print(rows[-1], flush=True)
    step = made("rslad", 128, 10)
    for n, seconds in in_turn(
        {str(n): on_threads(step, n) for n in range(1, most + 1)}, options.rounds
    ).items():
        rows.append({"axis": "threads", "value": n, "seconds": seconds, "images_per_second": 128 / seconds})
        print(rows[-1], flush=True)
    written("scaling", {"network": options.network, "compile": options.compile, "rows": rows})


if __name__ == "__main__":
    main()
