"""Weights on disk: safetensors are written, checkpoints read without running code found in them."""

from __future__ import annotations

import json
import logging
import pickle
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors import torch as safetensors
from torch import Tensor

from advkd.errors import error
from advkd.files import write_bytes

WRAPPERS = ("state_dict", "model_state_dict", "model", "net")
"""Keys under which training scripts put the weights beside their optimiser and epoch."""

FOREIGN = {
    b"<": (
        "the download returned a web page, not a checkpoint",
        "download it again from the file's own link",
    ),
    b"version https://git-lfs": ("a Git LFS pointer, not the checkpoint", "fetch the file: git lfs pull"),
}
"""How files begin that are often mistaken for checkpoints; what they are; what to do."""

OWN = b"{"
"""The ninth byte of safetensors, behind the length of their head."""

PICKLES = (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
"""How PyTorch files and pickles begin; what unpickling refuses in other files is no code."""


def write(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Saves `tensors` as safetensors, with `about` as JSON in its metadata under `advkd`."""
    # copies, because safetensors refuses tensors that share memory
    copies = {k: t.detach().cpu().clone(memory_format=torch.contiguous_format) for k, t in tensors.items()}
    write_bytes(path, safetensors.save(copies, {"advkd": json.dumps(dict(about))}))


def read(path: Path, place: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors by name, on the CPU, and what the file says of them; nothing for files of other programs.

    Takes safetensors and PyTorch checkpoints, told apart by content. `place` is where the path was
    given. Raises `AdvkdError` for a file that is missing, damaged, no checkpoint, or that runs code.
    """
    begin = head(path, place)
    with _explained(path, place, begin):
        if begin[8:9] == OWN:
            with safe_open(path, "pt") as file:
                return {key: file.get_tensor(key) for key in file.keys()}, _said(file)  # noqa: SIM118
        with warnings.catch_warnings():
            # it warns of every pickle protocol but its own, right before reading or refusing the file
            warnings.simplefilter("ignore")
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    return _tensors(loaded, path, place), {}


def about(path: Path, place: str) -> dict[str, Any]:
    """What a file says of its tensors, which are not read. Raises as `read` does where its head shows it."""
    begin = head(path, place)
    if begin[8:9] != OWN:
        return {}
    with _explained(path, place, begin), safe_open(path, "pt") as file:
        return _said(file)


def _said(file: Any) -> dict[str, Any]:
    said: dict[str, Any] = json.loads((file.metadata() or {}).get("advkd", "{}"))
    return said


@contextmanager
def _explained(path: Path, place: str, begin: bytes) -> Iterator[None]:
    try:
        yield
    # on bytes that are no checkpoint the readers fail in any way: KeyError, EOFError, SafetensorError
    except Exception as failure:
        problem, remedy = "the file is cut short or is no checkpoint", "copy or download it again"
        if isinstance(failure, pickle.UnpicklingError) and begin.startswith(PICKLES):
            problem = "the file holds more than weights; pickles that run code are not loaded"
            remedy = "if you trust it, convert it once: torch.save(net.state_dict(), 'weights.pt')"
        elif path.suffix == ".pt2":
            problem = "the file is an exported program, not weights"
            remedy = (
                "write a FILE.py with a function that returns torch.export.load(...).module() in an nn.Module"
            )
        elif "TorchScript" in str(failure):
            problem = "the file is a TorchScript program, not weights"
            remedy = "convert it once: torch.save(torch.jit.load(FILE).state_dict(), 'weights.pt')"
        raise error(place, problem, given=path, remedy=remedy) from failure


def head(path: Path, place: str) -> bytes:
    """The first bytes of a file; an `AdvkdError` if it is missing, empty, a web page or a pointer."""
    try:
        with path.open("rb") as file:
            begin = file.read(64)
    except OSError as failure:
        problem = "no such file" if isinstance(failure, FileNotFoundError) else str(failure.strerror)
        raise error(place, problem, given=path, remedy="check the path and where it starts from") from failure
    if not begin:
        raise error(place, "the file is empty", given=path, remedy="copy or download it again")
    for start, (problem, remedy) in FOREIGN.items():
        if begin.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(start):
            raise error(place, problem, given=path, remedy=remedy)
    return begin


def _tensors(loaded: Any, path: Path, place: str) -> dict[str, Tensor]:
    entries = loaded if isinstance(loaded, dict) else {}
    inner = next((entries[key] for key in WRAPPERS if isinstance(entries.get(key), dict)), None)
    if inner is not None:
        return _tensors(inner, path, place)
    tensors = {str(key): value for key, value in entries.items() if isinstance(value, Tensor)}
    others = ", ".join(str(key) for key in entries if str(key) not in tensors)
    if not tensors:
        found = f"; its entries are {others}" if others else ""
        raise error(place, f"no weights in the file{found}", given=path, remedy="save a state_dict in it")
    if others:
        logging.getLogger("advkd").info("%s: left out what is no tensor: %s", path.name, others)
    return tensors
