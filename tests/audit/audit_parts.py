"""Networks and a suite that take a second."""

from __future__ import annotations

import torch
from click.testing import CliRunner
from torch import Tensor, nn

from advkd.auditing.selftest import SHAPE
from advkd.cli import main

BRIEF = {
    "evaluators": {
        "fgsm": "fgsm",
        "pgd": {"use": "pgd", "steps": 5, "restarts": 1},
        "cw-linf": {"use": "cw-linf", "steps": 5},
    },
    "curves": {"images": 0},
}


class Linear(nn.Module):
    """Logits linear in the pixels."""

    def __init__(self, classes: int = 4, size: int = 16) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.weight = nn.Parameter(torch.randn(classes, size, generator=generator))

    def forward(self, x: Tensor) -> Tensor:
        return (x.flatten(1) - 0.5) @ self.weight.T


def untrained(classes: int, shape=SHAPE) -> nn.Module:
    """A small network with BatchNorm, in eval mode."""
    with torch.random.fork_rng():
        torch.manual_seed(classes)
        net = nn.Sequential(
            nn.Conv2d(shape[0], 6, 3, padding=1),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(24, classes),
        ).eval()
        with torch.no_grad():
            # decided by the image, not by the bias
            net[-1].weight *= 20
            net[-1].bias -= net(torch.rand(64, *shape)).mean(0)
    return net


QUICK = ("suite=quick", "curves.images=0", "limit=20")


def run(*words: str, status: int = 0) -> str:
    """What `advkd eval` says of `words`."""
    result = CliRunner().invoke(main, ["eval", *words])
    assert result.exit_code == status, result.output
    return result.output


FILE = """
import torch
from torch import nn

def good():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))

def few():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 4))

def nan():
    class Nan(nn.Module):
        def forward(self, x):
            return torch.full((len(x), 10), float("nan"))
    return Nan()

def picky():
    class Picky(nn.Module):
        def forward(self, x):
            if len(x) == 4:
                raise ValueError("not four")
            return x.flatten(1)[:, :10]
    return Picky()

def words():
    return "a network"

def broken():
    return 1 / 0

def features():
    return nn.Conv2d(1, 10, 3)
"""
