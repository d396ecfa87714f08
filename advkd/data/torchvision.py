"""Torchvision's small image sets (`torchvision:NAME`)."""

from __future__ import annotations

import gzip
import logging
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from advkd.data.images import Images
from advkd.errors import AdvkdError, error, unknown
from advkd.files import expanded, write_bytes
from advkd.types import Shape

SETS: dict[str, tuple[int, Shape]] = {
    "MNIST": (10, (1, 28, 28)),
    "FashionMNIST": (10, (1, 28, 28)),
    "SVHN": (10, (3, 32, 32)),
    "CIFAR10": (10, (3, 32, 32)),
    "CIFAR100": (100, (3, 32, 32)),
}
"""Classes and shape by torchvision's own names."""

FILES = {
    "MNIST": "MNIST/raw/train-images-idx3-ubyte and its three fellows",
    "FashionMNIST": "FashionMNIST/raw/train-images-idx3-ubyte and its three fellows (with or without .gz; "
    "Debian's package dataset-fashion-mnist has them)",
    "SVHN": "train_32x32.mat and test_32x32.mat",
    "CIFAR10": "cifar-10-batches-py/",
    "CIFAR100": "cifar-100-python/",
}
"""What has to lie in the root when there is no internet."""


@dataclass(frozen=True, kw_only=True)
class Torchvision:
    """MNIST, FashionMNIST, SVHN, CIFAR10 or CIFAR100, read from `root`, downloaded there if missing.

    Sources: LeCun et al. 1998; Xiao, Rasul, Vollgraf 2017 (arXiv 1708.07747); Netzer et al. 2011;
    Krizhevsky 2009.
    """

    name: str
    root: str = "~/.cache/advkd/data"
    download: bool = True

    def __post_init__(self) -> None:
        if self.name not in SETS:
            raise AdvkdError(unknown("name", "torchvision data set", self.name, SETS))

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return SETS[self.name][0]

    @property
    def shape(self) -> Shape:
        """Channels, height and width."""
        return SETS[self.name][1]

    def open(self, split: Literal["train", "test"]) -> Images:
        """The images of a split."""
        root = expanded(self.root)
        _unpack(root / self.name / "raw")
        data = self._opened(root, split)
        x, y = torch.as_tensor(data.data), getattr(data, "targets", None)
        labels = torch.as_tensor(data.labels if y is None else y)
        if x.dim() == 3:
            return Images(x[:, None], labels)
        # CIFAR comes with channels last, SVHN with channels first
        return Images(x if self.name == "SVHN" else x.permute(0, 3, 1, 2).contiguous(), labels)

    def _opened(self, root: Path, split: str) -> Any:
        from torchvision import datasets

        part = {"split": split} if self.name == "SVHN" else {"train": split == "train"}
        make = getattr(datasets, self.name)
        try:
            return make(root, download=False, **part)
        except RuntimeError:
            logging.getLogger("advkd").info("%s is not in %s yet", self.name, root)
        # an assertion and a missing key are how torchvision says that a file is of another kind
        except (ValueError, EOFError, OSError, AssertionError, KeyError) as cause:
            problem = f"a file of {self.name} is damaged: {cause}"
            raise error("data.root", problem, given=root, remedy="remove that file") from cause
        if not self.download:
            raise self._absent(root, "and data.download is false")
        try:
            return make(root, download=True, **part)
        except (OSError, RuntimeError, ValueError, EOFError) as cause:
            first = str(cause).split("\n")[0]
            raise self._absent(root, f"and it cannot be downloaded: {first}") from cause

    def _absent(self, root: Path, why: str) -> AdvkdError:
        return error(
            "data.root",
            f"{self.name} is not there, {why}",
            given=root,
            remedy=f"put into that folder: {FILES[self.name]}; or set data.root",
        )


def _unpack(raw: Path) -> None:
    """Unpacks `*-ubyte.gz` beside themselves: torchvision reads only what is unpacked."""
    for packed in sorted(raw.glob("*-ubyte.gz")):
        plain = packed.with_suffix("")
        if plain.exists():
            continue
        try:
            write_bytes(plain, gzip.decompress(packed.read_bytes()))
        except (OSError, EOFError, zlib.error) as cause:
            remedy = "remove it and fetch it again"
            raise error("data.root", f"cannot be unpacked: {cause}", given=packed, remedy=remedy) from cause
