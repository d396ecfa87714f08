"""A network and images of one's own, three methods, one table.

    python examples/own_model_and_data.py

Trains a robust teacher without advkd's models or data sources, then the same small student by three
presets. Everything but the method is the same: order of images, initial weights, budget, evaluation.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import TensorDataset

import advkd

SETTING = ("setting=digits", "threat.eps=0.1", "epochs=8", "batch_size=32", "evaluation.pgd-20.restarts=1")


def shapes(n: int, seed: int) -> TensorDataset:
    """Noisy pictures of a bar that lies, stands, or is not there."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(3, (n,), generator=generator)
    x = 0.3 * torch.rand(n, 1, 12, 12, generator=generator)
    at = torch.randint(2, 9, (n,), generator=generator)
    for i in range(n):
        if y[i] == 0:
            x[i, :, at[i] : at[i] + 2] += 0.4
        elif y[i] == 1:
            x[i, :, :, at[i] : at[i] + 2] += 0.4
    return TensorDataset(x, y)


class Net(nn.Sequential):
    """Two convolutions; pixels in [0,1] in, logits out."""

    def __init__(self, width: int) -> None:
        super().__init__(
            nn.Conv2d(1, width, 5, padding=2),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 5, stride=2),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(4 * width, 3),
        )


def student(width: int) -> nn.Module:
    """The same initial weights each time."""
    torch.manual_seed(0)
    return Net(width)


def main() -> dict[str, tuple[float, float]]:
    """Prints clean and worst-case accuracy of each method, and returns them."""
    data = shapes(600, seed=0), shapes(200, seed=1)
    found = {}
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        run = advkd.resolve("preset=trades", *SETTING)
        teacher = advkd.train(run, student=student(16), data=data, out=out / "teacher")
        found["teacher"] = teacher.clean, teacher.robust
        for preset in ("standard", "rslad", "path-dual"):
            run = advkd.resolve(f"preset={preset}", *SETTING)
            result = advkd.train(run, student=student(4), teacher=teacher.net, data=data, out=out / preset)
            found[preset] = result.clean, result.robust
    for row, (clean, robust) in found.items():
        print(f"{row:<10} clean {100 * clean:5.1f}  worst case {100 * robust:5.1f}")
    return found


if __name__ == "__main__":
    main()
