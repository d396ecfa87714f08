"""Any folder of images, one folder per class (`folder`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor
from torchvision.datasets.folder import IMG_EXTENSIONS, find_classes, make_dataset
from torchvision.transforms import functional as F

from advkd.data.images import Images
from advkd.data.split import stratified
from advkd.errors import error
from advkd.files import expanded
from advkd.types import Shape

SPLIT_SEED = 0
Samples = list[tuple[str, int]]

GREY = ("L", "1")
DEEP = ("I", "F")
"""Modes of more than 8 bits begin so."""

TESTS = ("test", "val")
PARTS = {"train", "training", "test", "testing", "val", "valid", "validation", "dev"}
"""What folders of whole splits are called, and classes are not."""


@dataclass(frozen=True, kw_only=True)
class Folder:
    """`path/train/CLASS/*` and `path/test/CLASS/*` (or `val`); classes and size are inferred.

    Without those two folders, `path/CLASS/*` is split, a fixed stratified fifth being the test; where `train`
    alone is missing, a model can be judged and none trained. `size` resizes to size x size, antialiased. If
    the first image is grey all must be, and they have one channel.
    """

    path: str
    size: int | None = None

    def __post_init__(self) -> None:
        if self.size is not None and self.size < 1:
            raise error("size", "must be at least 1 pixel", given=self.size)

    @cached_property
    def classes(self) -> int:
        """How many classes there are."""
        return len(_classes(self._first()))

    @cached_property
    def shape(self) -> Shape:
        """Channels, height and width: those of the first image, after resizing."""
        first = _samples(self._first())[0][0]
        c, h, w = _read(first, self.size, None).shape
        return c, h, w

    def open(self, split: Literal["train", "test"]) -> Images:
        """The images of a split, all read into memory as uint8."""
        folders = self._folders()
        channels = self.shape[0]
        if split not in folders:
            remedy = "put training images beside it, into a folder train"
            raise error("data.path", "has nothing to train on", given=folders["test"], remedy=remedy)
        samples = _samples(folders[split])
        if folders.get("train") == folders["test"]:
            rest, part = stratified(torch.tensor([y for _, y in samples]), 0.2, SPLIT_SEED)
            samples = [samples[i] for i in (rest if split == "train" else part).tolist()]
            if not samples:
                remedy = "put more images into it, or split them yourself into train and test"
                raise error("data.path", f"leaves no {split} image", given=folders[split], remedy=remedy)
        elif "train" in folders:
            _same_classes(folders)
        images = [_read(name, self.size, channels) for name, _ in samples]
        for (name, _), image in zip(samples, images, strict=True):
            if image.shape != images[0].shape:
                raise error(
                    "data.path",
                    "images differ in size",
                    given=f"{samples[0][0]} {_size(images[0])}, {name} {_size(image)}",
                    remedy="set data.size=N: they are resized to NxN",
                )
        return Images(torch.stack(images), torch.tensor([y for _, y in samples]))

    def _first(self) -> Path:
        """The folder that tells classes and shape."""
        folders = self._folders()
        return folders.get("train", folders["test"])

    def _folders(self) -> Mapping[str, Path]:
        path = expanded(self.path)
        if not path.is_dir():
            problem = "is a file; unpack it first" if path.is_file() else "no such folder"
            raise error("data.path", problem, given=path, remedy="write data.path=FOLDER")
        train = path / "train"
        tests = [path / name for name in TESTS if (path / name).is_dir()]
        if not train.is_dir():
            if tests and {inside.name for inside in path.iterdir() if inside.is_dir()} <= {*TESTS}:
                return {"test": tests[0]}
            if all(name.casefold() in PARTS for name in _classes(path)):
                remedy = "rename them train and test (or val)"
                given = f"{path}: {', '.join(_classes(path))}"
                raise error("data.path", "holds splits under other names", given=given, remedy=remedy)
            return {"train": path, "test": path}
        if not tests:
            remedy = "add a folder test of the same classes, or name the parent of both"
            raise error(
                "data.path", "has a folder train, but neither test nor val", given=path, remedy=remedy
            )
        return {"train": train, "test": tests[0]}


def _classes(folder: Path) -> list[str]:
    try:
        names: list[str] = find_classes(folder)[0]
    except FileNotFoundError:
        remedy = "put the images of each class into a folder of their own"
        raise error("data.path", "holds no class folders", given=folder, remedy=remedy) from None
    if len(names) < 2:
        remedy = "an attack needs another class to reach"
        raise error("data.path", f"holds one class only, {names[0]}", given=folder, remedy=remedy)
    return names


def _samples(folder: Path) -> Samples:
    names = _classes(folder)
    found: Samples = make_dataset(
        folder, {name: i for i, name in enumerate(names)}, IMG_EXTENSIONS, allow_empty=True
    )
    present = {y for _, y in found}
    for i, name in enumerate(names):
        if i not in present:
            remedy = f"remove the folder, or put images in it ({', '.join(IMG_EXTENSIONS)})"
            raise error("data.path", "a class folder holds no images", given=folder / name, remedy=remedy)
    return found


def _same_classes(folders: Mapping[str, Path]) -> None:
    train, test = (set(_classes(folders[name])) for name in ("train", "test"))
    if train != test:
        odd = ", ".join(sorted(train ^ test))
        names = f"{folders['train'].name} and {folders['test'].name}"
        remedy = "give both the same folders of classes"
        raise error("data.path", f"{names} differ in classes", given=odd, remedy=remedy)


def _read(name: str, size: int | None, channels: int | None) -> Tensor:
    """A uint8 image (C,H,W); one channel for a grey one unless `channels` says otherwise."""
    try:
        with Image.open(name) as image:
            if image.mode.startswith(DEEP):
                remedy = "save it with 8 bits per channel: values would be clipped at 255"
                problem = f"an image has pixels of the mode {image.mode}"
                raise error("data.path", problem, given=name, remedy=remedy)
            grey = image.mode in GREY if channels is None else channels == 1
            if grey and image.mode not in (*GREY, "LA"):
                problem = f"the first image is grey and this one is not (mode {image.mode})"
                remedy = "write the grey ones with three channels, or all of them with one"
                raise error("data.path", problem, given=name, remedy=remedy)
            x: Tensor = F.pil_to_tensor(image.convert("L" if grey else "RGB"))
    except (UnidentifiedImageError, OSError, SyntaxError) as cause:
        remedy = "remove it or write it again"
        raise error("data.path", f"an image cannot be read: {cause}", given=name, remedy=remedy) from cause
    return x if size is None else F.resize(x, [size, size], antialias=True)


def _size(image: Tensor) -> str:
    return f"{image.shape[2]}x{image.shape[1]}"
