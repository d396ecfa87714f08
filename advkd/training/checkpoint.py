"""Everything a run needs to go on from its last whole epoch, in one safetensors file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn, optim
from torch.optim.lr_scheduler import LRScheduler

from advkd.errors import AdvkdError, error
from advkd.networks import weights

NAME, BEST, LAST = "checkpoint.safetensors", "student.safetensors", "student-last.safetensors"


def save(
    path: Path,
    modules: Mapping[str, nn.Module],
    optimizer: optim.Optimizer,
    scheduler: LRScheduler,
    about: Mapping[str, Any],
) -> None:
    """Writes modules, optimiser and scheduler; `about` is what else the caller wants back."""
    tensors = {f"{name}|{k}": v for name, net in modules.items() for k, v in net.state_dict().items()}
    state = optimizer.state_dict()
    scalars: dict[str, Any] = {}
    for index, slots in state["state"].items():
        for key, value in slots.items():
            target = tensors if isinstance(value, Tensor) else scalars
            target[f"optimizer|{index}|{key}"] = value
    content = {
        "run": dict(about),
        "groups": state["param_groups"],
        "scalars": scalars,
        "scheduler": scheduler.last_epoch,
    }
    weights.write(path, tensors, content)


def restore(
    path: Path, modules: Mapping[str, nn.Module], optimizer: optim.Optimizer, scheduler: LRScheduler
) -> dict[str, Any]:
    """Puts everything back as it was saved and returns `about`."""
    tensors, content = weights.read(path, "resume")
    try:
        for name, net in modules.items():
            net.load_state_dict(_under(name, tensors))
        state: dict[int, dict[str, Any]] = {}
        for key, value in {**_under("optimizer", tensors), **_scalars(content)}.items():
            index, _, slot = key.partition("|")
            state.setdefault(int(index), {})[slot] = value
        optimizer.load_state_dict({"state": state, "param_groups": content["groups"]})
    except torch.OutOfMemoryError:
        raise
    except (KeyError, RuntimeError, ValueError) as cause:
        raise _foreign(path) from cause
    _lay_out(optimizer)
    # the rate of a step depends on this count alone
    scheduler.last_epoch = content["scheduler"]
    run: dict[str, Any] = content["run"]
    return run


def reached(folder: Path) -> tuple[int, float]:
    """The epoch that the training of a folder would go on with, and the seconds it has taken until there."""
    path = folder / NAME
    if not path.exists():
        return 0, 0.0
    try:
        about = weights.about(path, "resume")["run"]
        return int(about["epoch"]), float(about["cost"]["seconds"])
    except (KeyError, TypeError) as cause:
        raise _foreign(path) from cause


def _foreign(path: Path) -> AdvkdError:
    problem, remedy = "the checkpoint belongs to another run", "resume the folder it is from"
    return error("resume", problem, given=path, remedy=remedy)


def _lay_out(optimizer: optim.Optimizer) -> None:
    """Gives each state of a parameter the parameter's strides, which a file does not keep.

    With others an optimiser on a GPU updates parameter by parameter instead of all at once.
    """
    for parameter, slots in optimizer.state.items():
        for slot, value in slots.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                slots[slot] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def _under(name: str, tensors: Mapping[str, Any]) -> dict[str, Any]:
    return {key.removeprefix(f"{name}|"): v for key, v in tensors.items() if key.startswith(f"{name}|")}


def _scalars(content: Mapping[str, Any]) -> dict[str, Any]:
    return _under("optimizer", content["scalars"])
