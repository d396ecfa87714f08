"""What a caller has told torch, or a network does to itself, changes no number and outlives no call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import advkd
from advkd.auditing.selftest import shipped
from advkd.data.images import Images
from advkd.registry import load
from advkd.types import Threat

THREAT = Threat(eps=0.2)
QUICK = {"suite": "quick", "evaluators": {"fgsm": "fgsm"}, "curves": {"images": 0}}


@contextmanager
def in_double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(
    "surroundings",
    [lambda: torch.autocast("cpu", torch.bfloat16), torch.inference_mode, torch.no_grad, in_double],
    ids=["autocast", "inference_mode", "no_grad", "float64"],
)
def test_what_the_caller_has_told_torch_changes_no_number(
    surroundings: Callable[[], AbstractContextManager[None]],
) -> None:
    net = shipped("robust").net
    digits = load("data", "digits")().open("test").subset(torch.arange(40))
    batch = digits.batch(torch.arange(8))
    attacks = {"fgsm": load("evaluators", "fgsm")()}

    def numbers() -> tuple[Any, ...]:
        judged = advkd.evaluate(net, digits, THREAT, attacks)
        verdict = advkd.audit(net, digits, THREAT, **QUICK)
        loss, _ = advkd.loss_of("trades", student=net, x=batch.x, y=batch.y, threat=THREAT)
        flags = [flag.about for flag in verdict.flags]
        return (
            judged.clean,
            judged.robust,
            verdict.robust,
            verdict.main.survivors.tolist(),
            flags,
            loss.item(),
        )

    before = torch.get_default_dtype(), torch.is_autocast_enabled("cpu")
    plain = numbers()
    with surroundings():
        assert numbers() == plain
    assert (torch.get_default_dtype(), torch.is_autocast_enabled("cpu")) == before


class Counting(nn.Module):
    """Counts its forwards in a buffer, in place or in a new one."""

    def __init__(self, *, replaced: bool) -> None:
        super().__init__()
        self.replaced = replaced
        self.layer = nn.Linear(16, 10)
        self.register_buffer("n", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        if self.replaced:
            self.n = self.n + 1
        else:
            self.n += 1
        return self.layer(x.flatten(1))


@pytest.mark.parametrize("replaced", [False, True])
def test_buffers_are_left_as_found(replaced: bool) -> None:
    x, y = torch.rand(10, 1, 4, 4), torch.arange(10)
    net, attacks = Counting(replaced=replaced), {"fgsm": load("evaluators", "fgsm")()}
    advkd.loss_of("trades", student=net, x=x, y=y, threat=THREAT)
    advkd.loss_of(
        "kd", student=nn.Sequential(nn.Flatten(), nn.Linear(16, 10)), teacher=net, x=x, y=y, threat=THREAT
    )
    advkd.evaluate(net, Images(x, y), THREAT, attacks)
    advkd.audit(net, Images(x, y), THREAT, **QUICK)
    assert net.n == 0
