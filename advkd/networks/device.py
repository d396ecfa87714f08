"""Where a run computes, and on what."""

from __future__ import annotations

import logging
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

log = logging.getLogger("advkd")

AUTOCAST = ("cpu", "cuda", "mps", "xpu")
"""What kinds of device a caller may have set torch to round on."""

UNUSABLE = (RuntimeError, AssertionError, ImportError)
"""What torch raises for a device that it does not know, has not, or has no kernels for."""

LIBRARIES = (
    "advkd",
    "torch",
    "torchvision",
    "timm",
    "adversarial-robustness-toolbox",
    "pyautoattack",
    "numpy",
)


def chosen(name: str) -> torch.device:
    """The device called `name`; `auto` takes an accelerator if there is one that works."""
    if name == "auto":
        found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        try:
            return torch.device("cpu") if found is None else _tried(found)
        except UNUSABLE as cause:
            log.warning("device=auto takes the CPU: torch cannot use %s here: %s", found, _line(cause))
            return torch.device("cpu")
    remedy = "write device=auto or cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise error("device", "torch knows no such device", given=name, remedy=remedy) from None
    try:
        return _tried(device)
    except UNUSABLE as cause:
        problem = f"torch cannot use it here: {_line(cause)}"
        raise error("device", problem, given=name, remedy=remedy) from None


def _tried(device: torch.device) -> torch.device:
    # a sum takes a kernel, which a wheel may lack for an old GPU; on `meta` a tensor has no numbers
    (torch.zeros(1, device=device) + 1).item()
    return device


def _line(cause: BaseException) -> str:
    """The first sentence of what torch says."""
    return str(cause).partition("\n")[0].partition(". ")[0]


@contextmanager
def within_memory(option: str, size: int) -> Iterator[None]:
    """An `AdvkdError` that names the `option` to lower, where batches of `size` do not fit the device."""
    try:
        yield
    except torch.OutOfMemoryError as cause:
        problem = f"a batch of {size} images does not fit the memory of the device"
        raise error(
            option, problem, given=str(cause).partition("\n")[0], remedy=f"write a smaller {option}="
        ) from cause


def undisturbed(call: Callable[P, R]) -> Callable[P, R]:
    """`call` whatever its caller has told torch: default device and dtype, autocast, inference mode.

    All draws and indices are made on the CPU, networks and images are moved by name, precision is
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
    """If `wanted`, a GPU gives the same bits every time, more slowly; a CPU does so anyway.

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
    # read when the first product on a GPU is made; older torch refuses products there without it
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
