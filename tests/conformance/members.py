"""An instance of every registered name, with the options that cannot be left out."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from PIL import Image
from rich.console import Console as Terminal

from advkd.config.build import member
from advkd.models.tiny_cnn import TinyCNN
from advkd.networks import weights
from advkd.registry import YAML_SLOTS, entries
from advkd.reporters.console import Console
from advkd.testing.configured import method_of

FOLDER = Path(__file__).parents[2] / ".conformance_cache"
"""Files that members name: at one place for all processes of a run, since paths are part of a test's id."""
FOLDER.mkdir(exist_ok=True)

ABSENT = {
    ("models", "robustbench"): "needs an extra of its own, and a download",
    ("models", "hub"): "needs a download, and is the model `file` after it",
}
"""Names without an instance, and why."""

SHORT = {"steps": 20}
OPTIONS: dict[tuple[str, str], list[dict[str, Any]]] = {
    # a step of pgd_linf is 1/30 eps, and the ball 2 eps wide
    ("attacks", "advlib"): [{"name": "apgd"}, {"name": "pgd_linf", "steps": 60}],
    ("attacks", "pgd"): [{}, {"init": "none"}, {"init": "gaussian"}],
    ("attacks", "apgd"): [{}, {"init": "none", "steps": 30}],
    ("paths", "targeted"): [{"goal": goal} for goal in ("runner-up", "random", "anchor")],
    ("paths", "half"): [{"path": "untargeted"}, {"path": "targeted", "which": "odd"}],
    ("weightings", "product"): [
        {"left": "end", "right": "teacher-trust"},
        {"left": "boundary", "right": "entropy"},
    ],
    ("weightings", "divergence"): [{}, {"power": -1, "at": "here", "net": "teacher"}],
    ("weightings", "entropy"): [{}, {"favour": "low", "kappa": 0.5, "net": "student"}],
    ("weightings", "teacher-trust"): [{}, {"since": 0.3}],
    ("losses", "kl"): [{}, {"temperature": 2, "per_class": True}],
    ("modifiers", "awp"): [{}, {"gamma": 0.1, "since": 0}],
    ("modifiers", "swa"): [{}, {"since": 0}],
    ("models", "timm"): [{"name": "resnet10t"}],
    ("models", "wideresnet"): [{"depth": 10, "width": 1}],
    ("models", "trained"): [{"model": "tiny-cnn", "epochs": 1, "batch_size": 8}],
    ("evaluators", "art"): [{"name": "FastGradientMethod"}],
    ("evaluators", "advlib"): [{"name": "ddn"}, {"name": "pgd_linf"}],
    ("evaluators", "square"): [{"queries": 100}],
    ("evaluators", "cw-l2"): [{"steps": 3, "searches": 4, "learning_rate": 0.1}],
    **{("evaluators", name): [SHORT] for name in ("apgd-ce", "apgd-t", "fab-t")},
}


def of(slot: str) -> list[Any]:
    """Every instance of a slot."""
    return [instance for instances in table(slot).values() for instance in instances]


def table(slot: str) -> dict[str, list[Any]]:
    """The instances of every registered name of a slot, but for those that are absent."""
    names = [name for name in entries(slot) if (slot, name) not in ABSENT]
    if slot in YAML_SLOTS:
        return {name: [name + (f" data.path={folder()}" if name == "folder" else "")] for name in names}
    return {name: made(slot, name) for name in names}


def made(slot: str, name: str) -> list[Any]:
    """The instances of one name."""
    if (slot, name) in OF_OTHERS:
        return OF_OTHERS[slot, name]()
    files = OF_FILES.get((slot, name), dict)
    return [
        member(slot, {"use": name, **files(), **options}, slot)[0]
        for options in OPTIONS.get((slot, name), [{}])
    ]


def pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).integers(0, 256, shape, dtype="uint8")


def once(make: Callable[[], Path]) -> Callable[[], str]:
    """The path of what `make` has made, by this process or another one."""

    def made() -> str:
        mark = FOLDER / f"{make.__name__}.made"
        with FileLock(FOLDER / "lock"):
            if not mark.exists():
                mark.write_text(str(make()))
        return mark.read_text()

    return made


@once
def arrays() -> Path:
    file = FOLDER / "arrays.npz"
    content = {f"x_{split}": pixels(n, 6, 6) for split, n in (("train", 20), ("test", 10))}
    labels = {f"y_{split}": np.arange(n) % 3 for split, n in (("train", 20), ("test", 10))}
    np.savez(file, **content, **labels)
    return file


@once
def folder() -> Path:
    root = FOLDER / "images"
    for n, split in enumerate(("train", "test")):
        for label in "abc":
            (root / split / label).mkdir(parents=True, exist_ok=True)
            for i, image in enumerate(pixels(4 + n, 6, 6 + ord(label))):
                Image.fromarray(image).resize((6, 6)).save(root / split / label / f"{i}.png")
    return root


def idx(array: np.ndarray) -> bytes:
    """The format of MNIST and its kin."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@once
def fashion() -> Path:
    raw = FOLDER / "FashionMNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for part, n in (("train", 30), ("t10k", 20)):
        (raw / f"{part}-images-idx3-ubyte").write_bytes(idx(pixels(n, 28, 28)))
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(idx(np.arange(n, dtype="uint8") % 10))
    return FOLDER


@once
def weight_file() -> Path:
    file = FOLDER / "student.safetensors"
    about = {"model": "tiny-cnn", "classes": 10, "shape": (1, 8, 8)}
    weights.write(file, TinyCNN()(10, (1, 8, 8)).state_dict(), about)
    return file


OF_FILES: dict[tuple[str, str], Callable[[], dict[str, Any]]] = {
    ("data", "arrays"): lambda: {"path": arrays()},
    ("data", "folder"): lambda: {"path": folder()},
    ("data", "torchvision"): lambda: {"name": "FashionMNIST", "root": fashion(), "download": False},
    ("models", "file"): lambda: {"path": weight_file()},
    ("reporters", "jsonl"): lambda: {"path": str(FOLDER / "metrics.jsonl")},
}
"""Options that name files, which are made when they are asked for."""

OF_OTHERS: dict[tuple[str, str], Callable[[], list[Any]]] = {
    ("methods", "branches"): lambda: [method_of("path-dual"), method_of("path-dual method.branch_bn=split")],
    ("methods", "mart"): lambda: [method_of("mart")],
    ("reporters", "console"): lambda: [
        Console.on(Terminal(file=io.StringIO(), force_terminal=live)) for live in (False, True)
    ],
}
"""Members that are made of more than plain options."""
