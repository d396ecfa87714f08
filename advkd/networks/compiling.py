"""Whether `torch.compile` works on this machine, and what it cannot do."""

from __future__ import annotations

import functools
import os
import shutil
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from advkd.errors import error


def cannot_compile(device: torch.device) -> str:
    """What `torch.compile` lacks on this machine, or how it fails; empty if nothing."""
    return _missing(device) or _failing(device.type)


def _missing(device: torch.device) -> str:
    if device.type == "cuda":
        from torch.utils._triton import has_triton

        if not has_triton():
            return "triton is missing"
        # triton builds its driver with one of these on first use
        if not (os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")):
            return "there is no C compiler"
    elif device.type == "cpu":
        from torch._inductor.cpp_builder import get_cpp_compiler

        try:
            get_cpp_compiler()
        # torch raises an error of its own, which has moved between versions
        except Exception:
            return "there is no C++ compiler"
    else:
        return f"torch compiles for CPUs and CUDA, and not reliably for {device.type}"
    header = Path(sysconfig.get_paths()["include"]) / "Python.h"
    return "" if header.exists() else f"the headers of Python are missing ({header.name})"


@functools.cache
def _failing(kind: str) -> str:
    """How building a small kernel fails: a compiler may be there and lack OpenMP, or a library of CUDA."""

    def small(x: Tensor) -> Tensor:
        return x.sin() + 1

    try:
        torch.compile(small)(torch.ones(64, device=kind))
    # the compilers, triton and torch each raise exceptions of their own
    except Exception as cause:
        return f"{type(cause).__name__}: {cause}".strip().splitlines()[0]
    return ""


@contextmanager
def first_order() -> Iterator[None]:
    """An `AdvkdError` where a gradient of a gradient is asked of a compiled network: torch has none."""
    try:
        yield
    except RuntimeError as cause:
        if "double backward" not in str(cause):
            raise
        problem = "a compiled network has no gradient of its gradient, which the method or a loss takes"
        raise error("compile", problem, remedy="write compile=never") from cause
