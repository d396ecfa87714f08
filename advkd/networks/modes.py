"""Asking a network and leaving it as found: modes, BatchNorm buffers, momentum, precision."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, repeat
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from advkd.errors import error

Switch = tuple[Any, str]
"""A place in torch and the name of what is set there."""

LAYERS = ("conv", "rnn", "matmul")


def batch_norms(net: nn.Module) -> list[_BatchNorm]:
    """The BatchNorm layers of a network that keep running statistics."""
    return [m for m in net.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]


def device_of(net: nn.Module) -> torch.device:
    """Where the parameters and buffers of `net` are; the CPU if it has none. An error if it is no module."""
    if not isinstance(net, nn.Module):
        remedy = "make one whose forward calls it: pixels in [0,1] (B,C,H,W) to logits (B,N)"
        raise error("model", "is no torch.nn.Module", given=type(net).__name__, remedy=remedy)
    return next((t.device for t in chain(net.parameters(), net.buffers())), torch.device("cpu"))


def classes_of(net: nn.Module, x: Tensor) -> int:
    """How many logits `net` answers the images `x` with."""
    return logits_of(net, x[:1]).shape[1]


@contextmanager
def evaluating(*nets: nn.Module) -> Iterator[None]:
    """Every module in eval mode inside the block; each one's own flag is put back after it."""
    flags = [(module, module.training) for net in nets for module in net.modules()]
    for module, _ in flags:
        module.training = False
    try:
        yield
    finally:
        for module, flag in flags:
            module.training = flag


@contextmanager
def buffers_kept(*nets: nn.Module) -> Iterator[None]:
    """Whatever the block does to the buffers of networks is undone, be they written to or replaced."""
    modules = [module for net in nets for module in net.modules()]
    before = [(m, name, b, b.clone()) for m in modules for name, b in m.named_buffers(recurse=False)]
    try:
        yield
    finally:
        with torch.no_grad():
            for module, name, buffer, value in before:
                buffer.copy_(value)
                setattr(module, name, buffer)


@contextmanager
def answering_float32(net: nn.Module) -> Iterator[None]:
    """Whatever the precision of its logits, `net` gives them in float32 inside the block."""
    handle = net.register_forward_hook(lambda module, args, output: output.float())  # noqa: ARG005
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def momentum_over(net: nn.Module, forwards: int) -> Iterator[None]:
    """Divides BatchNorm momentum, so that `forwards` forwards move the statistics as much as one."""
    before = [(norm, norm.momentum) for norm in batch_norms(net)]
    for norm, momentum in before:
        norm.momentum = None if momentum is None else momentum / forwards
    try:
        yield
    finally:
        for norm, momentum in before:
            norm.momentum = momentum


@contextmanager
def full_float32() -> Iterator[None]:
    """Float32 means float32 inside the block: no convolution or product is rounded to TF32 or bf16."""
    (older, newer), word = _switches(), _word()
    before = _values(older), _values(newer)
    try:
        # the older ones alone may leave convolutions to a switch for all; older torch has no newer ones
        _turned(older, repeat(False))
        _turned(newer, repeat("ieee"))
        yield
    finally:
        _turned(older, before[0])
        if word:
            # the older switches do not know "medium": without its word torch finds a state it calls mixed
            torch.set_float32_matmul_precision(word)
        # last, since the older ones and the word write to them
        _turned(newer, before[1])


def _word() -> str:
    """What `torch.set_float32_matmul_precision` was given; empty where the newer switches have been used."""
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        return ""


def _switches() -> tuple[list[Switch], list[Switch]]:
    """What lets torch round float32: the older switches, and the newer ones that this torch has."""
    cudnn, cublas, mkldnn = torch.backends.cudnn, torch.backends.cuda.matmul, torch.backends.mkldnn
    places = [cublas, *(getattr(of, name, None) for of in (cudnn, mkldnn) for name in LAYERS)]
    newer: list[Switch] = [(at, "fp32_precision") for at in places if hasattr(at, "fp32_precision")]
    older: list[Switch] = [(cudnn, "allow_tf32"), (cublas, "allow_tf32")]
    try:
        _values(older)
    # torch refuses the older names to whoever has used the newer ones
    except RuntimeError:
        older = []
    return older, newer


def _values(switches: Iterable[Switch]) -> list[Any]:
    return [getattr(place, name) for place, name in switches]


def _turned(switches: Iterable[Switch], values: Iterable[Any]) -> None:
    for (place, name), value in zip(switches, values, strict=False):
        setattr(place, name, value)


def misclassified(logits: Tensor, y: Tensor) -> Tensor:
    """(B,) bool: whose `logits` (B,N) are highest for another class than `y` (B,), or are not all finite."""
    return (logits.argmax(1) != y) | ~torch.isfinite(logits).all(1)


def logits_of(net: nn.Module, x: Tensor) -> Tensor:
    """What `net` says of `x` (B,C,H,W) in eval mode, without gradient: (B,N)."""
    with torch.no_grad(), evaluating(net):
        answer: Tensor = net(x)
    return answer
