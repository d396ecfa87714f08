"""Before any attack or lesson: does the network answer every image with one finite logit per class?"""

from __future__ import annotations

import math
import os
from typing import Any

import torch
from torch import Tensor, nn

from advkd.data.images import Images
from advkd.errors import AdvkdError, error
from advkd.networks.modes import buffers_kept, evaluating, logits_of

MOST = 512
SHARE = 0.25
"""Of the memory that is free, for what one batch keeps for its backward pass."""


def admit(
    net: nn.Module, who: str, images: Images, classes: int, batch_size: int, device: torch.device
) -> None:
    """Raises an `AdvkdError` that says which examples the network does not answer as it should."""
    if isinstance(net, torch.jit.ScriptModule):
        remedy = "put it into an nn.Module whose forward calls it"
        raise error(who, "is a TorchScript program, not a network", remedy=remedy)
    # one image alone as well: `squeeze` in a network takes its batch away
    for rows in (*torch.split(torch.arange(len(images)), batch_size), torch.arange(1)):
        x = images.batch(rows).x.to(device)
        try:
            answer: Any = logits_of(net, x)
        # the network is somebody's code and fails in its own way
        except Exception as cause:
            raise _failed(who, rows, cause) from cause
        _check(answer, who, rows, classes)


def without_programs(net: nn.Module, who: str) -> None:
    """Raises for a network with a TorchScript program in it: a training shares every number with a twin."""
    if any(isinstance(module, torch.jit.ScriptModule) for module in net.modules()):
        remedy = (
            "build the network in Python and load the program's state_dict; advkd eval can judge programs"
        )
        raise error(who, "holds a TorchScript program, which cannot take part in a training", remedy=remedy)


def _failed(who: str, rows: Tensor, cause: Exception) -> AdvkdError:
    return error(
        who,
        f"fails on the images {int(rows[0])} to {int(rows[-1])}: {type(cause).__name__}: {cause}",
        remedy="write a smaller batch_size="
        if isinstance(cause, torch.OutOfMemoryError)
        else "it must take float32 images (B,C,H,W) in [0,1] and answer with logits (B,N)",
    )


def _check(answer: Any, who: str, rows: Tensor, classes: int) -> None:
    if not isinstance(answer, Tensor) or answer.dim() != 2 or len(answer) != len(rows):
        given = tuple(answer.shape) if isinstance(answer, Tensor) else type(answer).__name__
        raise error(
            who,
            "does not answer with logits (B,N)",
            given=f"{given} for {len(rows)} images",
            remedy="return one row of logits per image, nothing else",
        )
    if answer.shape[1] != classes:
        raise error(
            who,
            f"answers with {answer.shape[1]} classes, the data has {classes}",
            remedy="choose the data it was trained for, or a model with another last layer",
        )
    bad = (~torch.isfinite(answer)).any(1).nonzero()
    if len(bad):
        raise error(
            who,
            "answers with NaN or infinity",
            given=f"image {int(rows[bad[0].cpu()])}, and {len(bad) - 1} more of that batch",
            remedy="check its weights and its normalisation: no attack can be judged on such answers",
        )


def probable(answer: Tensor) -> bool:
    """Whether answers (B,N) are probabilities, not logits."""
    inside = (answer >= -1e-5).all() and (answer <= 1 + 1e-5).all()
    return bool(inside and ((answer.sum(1) - 1).abs() <= 1e-5).all())


def fitting_batch(net: nn.Module, who: str, images: Images, device: torch.device) -> int:
    """The largest power of two, up to 512, whose backward pass fits into a quarter of the free memory."""
    x = images.batch(torch.zeros(1, dtype=torch.long)).x.to(device)
    parameters = {p.data_ptr() for p in net.parameters()}
    kept = x.numel() * x.element_size()

    def pack(tensor: Tensor) -> Tensor:
        nonlocal kept
        if tensor.data_ptr() not in parameters:
            kept += tensor.numel() * tensor.element_size()
        return tensor

    try:
        with evaluating(net), buffers_kept(net), torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
            net(x.requires_grad_())
    except Exception as cause:
        raise _failed(who, torch.zeros(1), cause) from cause
    return int(min(MOST, 2 ** max(math.floor(math.log2(SHARE * free_memory(device) / kept)), 0)))


def free_memory(device: torch.device) -> float:
    """Bytes that are free on the device; 4 GB where nothing says."""
    if device.type == "cuda":
        # what the allocator keeps for later is free too
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return float(torch.cuda.mem_get_info(device)[0] + kept)
    if device.type == "xpu":
        return float(torch.xpu.mem_get_info(device)[0])
    try:
        return float(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (ValueError, OSError, AttributeError):
        return 4.0 * 2**30
