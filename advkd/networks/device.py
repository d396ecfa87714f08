"""Where a run computes, and on what."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from importlib import metadata
from typing import ParamSpec, TypeVar

import torch

from advkd.errors import error
from advkd.registry.installed import installed

P = ParamSpec("P")
R = TypeVar("R")

AUTOCAST = ("cpu", "cuda", "mps", "xpu")
"""What kinds of device a caller may have set torch to round on."""

LIBRARIES = ("advkd", "torch", "torchvision", "timm", "adversarial-robustness-toolbox", "numpy")


def chosen(name: str) -> torch.device:
    """The device called `name`; `auto` takes an accelerator if there is one."""
    if name == "auto":
        available = torch.accelerator.is_available()
        return (
            torch.accelerator.current_accelerator() or torch.device("cpu")
            if available
            else torch.device("cpu")
        )
    try:
        device = torch.device(name)
        # on `meta` a tensor has a shape and no numbers
        torch.empty(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError):
        raise error(
            "device", "torch cannot use it here", given=name, remedy="write device=auto or cpu"
        ) from None
    return device


def undisturbed(call: Callable[P, R]) -> Callable[P, R]:
    """`call` whatever its caller has told torch: default device and dtype, autocast, inference mode.

    All draws and indices are made on the processor, networks and images are moved by name, precision is
    chosen by the engine alone, and attacks need gradients. The caller finds everything as it was.
    """

    @wraps(call)
    def called(*args: P.args, **options: P.kwargs) -> R:
        with ExitStack() as stack:
            # a device mode slows every call of torch, so there is none unless it is needed
            if torch.get_default_device().type != "cpu":
                stack.enter_context(torch.device("cpu"))
            for kind in filter(torch.is_autocast_enabled, AUTOCAST):
                stack.enter_context(torch.autocast(kind, enabled=False))
            stack.enter_context(torch.inference_mode(False))
            stack.enter_context(torch.enable_grad())
            stack.callback(torch.set_default_dtype, torch.get_default_dtype())
            torch.set_default_dtype(torch.float32)
            return call(*args, **options)

    return called


@contextmanager
def repeatable(wanted: bool) -> Iterator[None]:
    """If `wanted`, a GPU gives the same bits every time, more slowly; a processor does so anyway.

    Where torch has no such kernel it raises a RuntimeError that names the operation.
    """
    if not wanted:
        yield
        return
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    benchmark = torch.backends.cudnn.benchmark
    # read when the first product on a GPU is made, and without it torch refuses products there
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.backends.cudnn.benchmark = benchmark


def environment(device: torch.device) -> dict[str, str | int]:
    """What a number depends on besides its configuration, plugins whose names count among it."""
    plugins = sorted({(entry.distribution, entry.version) for entry in installed().entries})
    versions = {name: metadata.version(name) for name in LIBRARIES}
    return {
        "python": platform.python_version(),
        **dict(plugins),
        **versions,
        "platform": f"{platform.system()} {platform.machine()}",
        "device": str(device),
        **_gpu(device),
        "processors": os.cpu_count() or 0,
        "threads": torch.get_num_threads(),
    }


def _gpu(device: torch.device) -> dict[str, str | int]:
    if device.type != "cuda":
        return {}
    return {
        "gpu": torch.cuda.get_device_name(device),
        "cuda": torch.version.cuda or "",
        "cudnn": torch.backends.cudnn.version() or 0,  # type: ignore[no-untyped-call]
    }
