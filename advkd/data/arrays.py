"""Arrays in one .npz file (`arrays`)."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from numpy.lib.npyio import NpzFile
from torch import Tensor

from advkd.data.images import Images, check_every_class
from advkd.errors import AdvkdError, error, unknown
from advkd.files import expanded
from advkd.types import Shape

DAMAGED = (zipfile.BadZipFile, zlib.error)
KEYS = ("x_train", "y_train", "x_test", "y_test")


@dataclass(frozen=True, kw_only=True)
class Arrays:
    """`x_train`, `y_train`, `x_test`, `y_test` of an .npz file.

    Images are (N,H,W), (N,C,H,W) or (N,H,W,C), uint8 or floats in [0,1]; the channel axis is the one of
    size 1 or 3, the first where both are. Classes are counted in `y_train`; where there is neither it nor
    `x_train`, in `y_test`: on such a file a model can be judged and none trained. Pickled arrays are refused.
    """

    path: str

    @cached_property
    def classes(self) -> int:
        """The largest training label plus one."""
        parts = (self._labels(split) for split in (self._first, "test"))
        known, tested = (int(labels.max()) + 1 if len(labels) else 0 for labels in parts)
        if self._first == "test":
            return tested
        if tested > known > 1:
            given = f"label {tested - 1}, the largest of y_train is {known - 1}"
            remedy = "give every class training images, or leave it out of the test"
            raise error("data.path", "y_test has a class that y_train lacks", given=given, remedy=remedy)
        check_every_class(self._labels("train"), known, "data.path: y_train")
        return known

    @cached_property
    def shape(self) -> Shape:
        """Channels, height and width."""
        return Images(_images(self._array(f"x_{self._first}")[:1]), torch.zeros(1, dtype=torch.long)).shape

    def open(self, split: Literal["train", "test"]) -> Images:
        """The images of a split."""
        return Images(_images(self._array(f"x_{split}")), self._labels(split))

    def _labels(self, split: str) -> Tensor:
        labels = self._array(f"y_{split}")
        if labels.dtype.kind not in "iu" or labels.ndim != 1:
            given = f"{labels.dtype}, {labels.shape}"
            remedy = "write whole numbers (N,), counted from 0: y.ravel(), or y.argmax(1) of one-hot"
            raise error("data.path", f"y_{split} holds no labels", given=given, remedy=remedy)
        return torch.from_numpy(labels.astype(np.int64))

    @cached_property
    def _first(self) -> Literal["train", "test"]:
        """The part that tells classes and shape."""
        with self._opened() as file:
            return "test" if set(KEYS) & set(file) == {"x_test", "y_test"} else "train"

    def _array(self, key: str) -> np.ndarray:
        with self._opened() as file:
            if key in file:
                array = np.asarray(file[key])
                return array.astype(array.dtype.newbyteorder("="), copy=False)
            names = list(file)
        if key.endswith("_train") and self._first == "test":
            remedy = "add x_train and y_train"
            raise error("data.path", "has nothing to train on", given=self.path, remedy=remedy)
        raise AdvkdError(unknown("data.path", f"array: no {key} in {self.path}", key, names))

    @contextmanager
    def _opened(self) -> Iterator[NpzFile]:
        path = expanded(self.path)
        try:
            with np.load(path, allow_pickle=False) as file:
                yield file
        except FileNotFoundError:
            raise error(
                "data.path", "no such file", given=path, remedy="check the path and its spelling"
            ) from None
        except (*DAMAGED, ValueError, OSError, EOFError, TypeError, AttributeError) as cause:
            remedy = f"write it with numpy.savez(path, {', '.join(f'{k}=...' for k in KEYS)})"
            raise error(
                "data.path", f"is not a plain .npz file: {cause}", given=path, remedy=remedy
            ) from cause


def _images(array: np.ndarray) -> Tensor:
    x = torch.from_numpy(np.ascontiguousarray(array))
    if x.dim() == 3:
        return x[:, None]
    if x.dim() != 4:
        raise error("data.path", "images must be (N,H,W), (N,C,H,W) or (N,H,W,C)", given=tuple(x.shape))
    if not {1, 3} & {x.shape[1], x.shape[3]}:
        remedy = "no axis of 1 or 3 channels: leave alpha out, or average them"
        raise error("data.path", "which axis are the channels?", given=tuple(x.shape), remedy=remedy)
    last = x.shape[1] not in (1, 3)
    return x.permute(0, 3, 1, 2).contiguous() if last else x
