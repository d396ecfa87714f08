"""Small float64 networks and a run of seconds, which most tests share."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def small_net(width: int = 4, *, norm: bool = True, seed: int = 0, classes: int = 5) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers = [nn.Conv2d(1, width, 3, padding=1)]
        layers += [nn.BatchNorm2d(width)] if norm else []
        layers += [nn.Softplus(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * width, classes)]
        net = nn.Sequential(*layers).double()
        # larger than at initialisation, so that answers and attacks differ between points
        net[-1].weight.data *= 20
        if norm:
            net[1].running_mean.uniform_(-0.1, 0.1)
            net[1].running_var.uniform_(0.05, 0.2)
        return net


def undecided(net: nn.Module, x: Tensor) -> None:
    """Shifts the last bias so that the classes are about equally likely over `x`."""
    with torch.no_grad():
        net.eval()
        net[-1].bias -= net(x).mean(0)


TINY = (
    "setting=digits",
    "split.train=300",
    "split.test=60",
    "epochs=3",
    "batch_size=32",
    "student.width=4",
    "teacher.preset=standard",
    "teacher.epochs=8",
    "teacher.batch_size=16",
    "teacher.model.width=8",
    "evaluation.pgd-20.restarts=1",
)
