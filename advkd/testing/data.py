"""What data sources promise."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from typing import Any, Literal, cast

import torch
from torch import Tensor

from advkd.protocols import DataSource
from advkd.testing.checks import check, require
from advkd.testing.parts import changed, state

Split = Literal["train", "test"]
SPLITS: tuple[Split, ...] = ("train", "test")
LOOKED_AT = 400
"""How many images of a split are looked at."""

SHARED = 0.02
"""Share of test images that may also be training images: even MNIST has a few."""


def seen(source: DataSource, split: Split, most: int = LOOKED_AT) -> Iterator[tuple[Any, Any]]:
    """Images of a split with their labels."""
    data = source.open(split)
    # at random, since an even step can meet one class only where labels go round
    order = torch.randperm(len(cast(Sized, data)), generator=torch.Generator().manual_seed(0))
    return (data[i] for i in order[:most].sort().values.tolist())


@check("data")
def both_splits_hold_images(source: DataSource) -> None:
    """Both the training and the test split open and hold images."""
    for split in SPLITS:
        require(len(cast(Sized, source.open(split))) > 0, f"{split} is empty")


@check("data")
def images_have_the_shape(source: DataSource) -> None:
    """Images are tensors (C,H,W) of the declared `shape`."""
    for split in SPLITS:
        for x, _ in seen(source, split):
            require(isinstance(x, Tensor), f"{split}: an image is a {type(x).__name__}")
            require(tuple(x.shape) == tuple(source.shape), f"{split}: {tuple(x.shape)}, shape {source.shape}")


@check("data")
def pixels_lie_in_the_box(source: DataSource) -> None:
    """Pixels are floats in [0,1]; normalisation belongs inside the model."""
    for split in SPLITS:
        for x, _ in seen(source, split):
            require(x.is_floating_point(), f"{split}: pixels are {x.dtype}")
            low, high = x.min().item(), x.max().item()
            require(low >= 0 and high <= 1, f"{split}: pixels from {low:.4g} to {high:.4g}")


@check("data")
def labels_count_from_zero(source: DataSource) -> None:
    """Labels are integers from 0 to `classes` - 1."""
    for split in SPLITS:
        for _, y in seen(source, split):
            require(isinstance(y, int), f"{split}: a label is a {type(y).__name__}")
            require(0 <= y < source.classes, f"{split}: label {y} of {source.classes} classes")


@check("data")
def there_is_another_class(source: DataSource) -> None:
    """There are at least two classes, in both splits: an attack needs another one to reach."""
    require(source.classes >= 2, f"classes is {source.classes}")
    for split in SPLITS:
        found = {int(y) for _, y in seen(source, split)}
        require(len(found) != 1, f"{split} holds the class {found} only")


@check("data")
def shape_and_classes_come_first(source: DataSource) -> None:
    """`classes` and `shape` are known before anything is opened, and stay what they are after it."""
    before = source.classes, tuple(source.shape)
    require(len(before[1]) == 3, f"shape {before[1]} is not channels, height and width")
    source.open("train")
    require((after := (source.classes, tuple(source.shape))) == before, f"{before} becomes {after}")


@check("data")
def splits_are_disjoint(source: DataSource) -> None:
    """No test image is a training image, except for a few duplicates."""
    training = {_bytes(x) for x, _ in seen(source, "train", most=10**9)}
    test = [_bytes(x) for x, _ in seen(source, "test")]
    share = sum(x in training for x in test) / max(len(test), 1)
    require(share <= SHARED, f"{share:.1%} of the test images are training images")


@check("data")
def opens_the_same_twice(source: DataSource) -> None:
    """A split holds the same images in the same order whenever it is opened."""
    for split in SPLITS:
        one, two = ([(_bytes(x), y) for x, y in seen(source, split)] for _ in "ab")
        require(one == two, f"{split} differs from one opening to the next")


@check("data")
def leaves_no_trace(source: DataSource) -> None:
    """Opening and reading leave the global generators as they were."""
    before = state()
    for split in SPLITS:
        list(seen(source, split, most=20))
    require(not (left := changed(before, state())), f"changed: {left}")


def _bytes(x: Tensor) -> bytes:
    return torch.as_tensor(x).contiguous().numpy().tobytes()
