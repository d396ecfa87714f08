"""What a caller hands to a run in place of what its configuration names."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn
from torch.utils.data import Dataset

from advkd.config.run import Split
from advkd.data.images import Images, in_memory
from advkd.errors import error
from advkd.fingerprints import data_fingerprint, fingerprint
from advkd.protocols import DataSource
from advkd.splits import Splits, opened_part
from advkd.types import Shape

Pair = tuple[Dataset[Any], Dataset[Any]]
"""A training and a test data set."""


@dataclass(frozen=True)
class Given:
    """A student, a teacher, data; None for each that the configuration names."""

    student: nn.Module | None = None
    teacher: nn.Module | None = None
    data: DataSource | Pair | None = None

    def source(self) -> DataSource | None:
        """The data that was given, as a source."""
        if not isinstance(self.data, tuple):
            if self.data is not None and not hasattr(self.data, "open"):
                remedy = "give (train_set, test_set), or a source with classes, shape and open(split)"
                raise error("data", "is not a data source", given=type(self.data).__name__, remedy=remedy)
            return self.data
        names = ("train", "test")
        if len(self.data) != len(names):
            remedy = "give a training and a test data set"
            raise error("data", "is no pair of data sets", given=f"{len(self.data)} of them", remedy=remedy)
        parts = [in_memory(part, None, f"data.{name}") for part, name in zip(self.data, names, strict=True)]
        pair = _Pair(*parts)
        # before a training whose test images would fit no network it makes
        opened_part(pair, "test", Split())
        return pair

    def marks(self, splits: Splits, nets: Collection[str]) -> Mapping[str, str]:
        """What tells another thing given from this one; the student by its class, for its numbers change.

        A teacher has one where it is among the `nets` that the run asks.
        """
        found = {}
        if self.data is not None:
            found["data"] = splits.marks["training"]
        if self.student is not None:
            found["student"] = type(self.student).__name__
        if self.teacher is not None and "teacher" in nets:
            found["teacher"] = fingerprint(self.teacher)
        return found

    def images(self, splits: Splits) -> Mapping[str, str]:
        """The marks of all images there are before training; a test set only if one was handed over."""
        if not isinstance(splits.source, _Pair):
            return splits.marks
        test = splits.source.test
        return {**splits.marks, "test": data_fingerprint(test.x, test.y)}


@dataclass(frozen=True)
class _Pair:
    """Two data sets as a source; classes are counted in the training labels."""

    train: Images
    test: Images

    @property
    def classes(self) -> int:
        return int(self.train.y.max()) + 1

    @property
    def shape(self) -> Shape:
        return self.train.shape

    def open(self, split: Literal["train", "test"]) -> Images:
        return self.train if split == "train" else self.test
