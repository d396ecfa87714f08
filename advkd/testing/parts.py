"""What checks work on: small networks, a batch, a step, and what has changed since a moment ago."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from advkd.networks.modes import batch_norms, evaluating
from advkd.step import Step
from advkd.streams import streams
from advkd.testing.checks import require
from advkd.types import Batch, Threat

CLASSES = 5
EPS = 0.1


def small_net(width: int = 4, *, norm: bool = True, seed: int = 0, classes: int = CLASSES) -> nn.Module:
    """A float64 network of one convolution for images of one channel and any size."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers: list[nn.Module] = [nn.Conv2d(1, width, 3, padding=1)]
        layers += [nn.BatchNorm2d(width)] if norm else []
        head = nn.Linear(4 * width, classes)
        net = nn.Sequential(*layers, nn.Softplus(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), head).double()
        # larger than at initialisation, so that answers and attacks differ between points
        head.weight.data *= 20
        for layer in batch_norms(net):
            for statistics, low, high in ((layer.running_mean, -0.1, 0.1), (layer.running_var, 0.05, 0.2)):
                assert statistics is not None
                statistics.uniform_(low, high)
        return net


def undecided(net: nn.Module, x: Tensor) -> None:
    """Shifts the last bias of a `small_net` so that the classes are about equally likely over `x`."""
    assert isinstance(net, nn.Sequential)
    with torch.no_grad(), evaluating(net):
        net[-1].bias -= net(x).mean(0)


def generator(seed: int = 0) -> torch.Generator:
    """A generator of its own."""
    return torch.Generator().manual_seed(seed)


def images(*shape: int, low: float = 0.0, high: float = 1.0, seed: int = 3) -> Tensor:
    """Float64 pixels between `low` and `high`."""
    x = torch.rand(shape, generator=generator(seed), dtype=torch.float64)
    return low + (high - low) * x


def batch() -> Batch:
    """Six images of five classes; two of them share one."""
    return Batch(images(6, 1, 6, 6), torch.tensor([0, 1, 2, 3, 4, 0]))


def nets(others: Iterable[str] = ("teacher",)) -> dict[str, nn.Module]:
    """A student in train mode but for its Softplus, whose flag is to survive; frozen `others`, by name."""
    student = small_net(4, seed=1).train()
    list(student.children())[2].eval()
    frozen = {name: small_net(8, seed=2 + i) for i, name in enumerate(others)}
    return {"student": student, **{name: net.eval().requires_grad_(False) for name, net in frozen.items()}}


def step(others: Iterable[str] = ("teacher",), *, norm: Any = "linf", progress: float = 0.5) -> Step:
    """The surroundings of one training step."""
    threat = Threat(norm=norm, eps=EPS)
    return Step(nets=nets(others), threat=threat, streams=streams(0), progress=progress)


def on_meta(step: Step) -> Step:
    """The step with its networks on torch's `meta` device."""
    return replace(step, nets={name: net.to("meta") for name, net in step.nets.items()})


class _Drawn(TorchFunctionMode):
    """Fails what torch lets pass on `meta` and refuses on a GPU: a draw there from a generator elsewhere."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        answer, drawn = func(*args, **(kwargs or {})), (kwargs or {}).get("generator")
        if drawn is not None and isinstance(answer, Tensor) and answer.device.type != drawn.device.type:
            name = getattr(func, "__name__", func)
            require(False, f"{name} draws elsewhere than on its generator's CPU; draw there, then move")
        return answer


def on_one_device(call: Callable[[], Tensor | None]) -> None:
    """Fails where `call`, on tensors of torch's `meta` device, meets or gives one of another device.

    That is, where it would fail on a GPU.
    """
    try:
        with _Drawn():
            answer = call()
    except RuntimeError as cause:
        # those tensors have no values, which some code rightly asks for: only the device counts here
        elsewhere = any(words in str(cause) for words in ("on the expected device", "on the same device"))
        require(not elsewhere, f"{cause}")
    else:
        where = "its answer is on another device; make it where the input is: zeros_like, x.new_zeros, .to(x)"
        require(answer is None or answer.device.type == "meta", where)


def state(*networks: nn.Module) -> dict[str, Any]:
    """Everything a guest may change without being asked to, by name, to be compared by `==`."""
    modules = [module for net in networks for module in net.modules()]
    parameters = [parameter for net in networks for parameter in net.parameters()]
    name, key, *more = np.random.get_state()  # noqa: NPY002
    return {
        "train and eval flags": [module.training for module in modules],
        "parameters": [_bytes(parameter) for parameter in parameters],
        "requires_grad flags": [parameter.requires_grad for parameter in parameters],
        "parameter gradients": [None if p.grad is None else _bytes(p.grad) for p in parameters],
        "buffers": [_bytes(buffer) for net in networks for buffer in net.buffers()],
        "BatchNorm momentum": [norm.momentum for net in networks for norm in batch_norms(net)],
        "torch's global generator": _bytes(torch.get_rng_state()),
        "numpy's global generator": (name, np.asarray(key).tobytes(), *more),
        "Python's global generator": random.getstate(),
    }


def changed(before: dict[str, Any], after: dict[str, Any]) -> str:
    """The names under which two states differ, in one line."""
    return ", ".join(name for name in before if before[name] != after[name])


def _bytes(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().numpy().tobytes()
