"""Images held in memory, checked once on the way in."""

from __future__ import annotations

import operator
from collections.abc import Sized
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from advkd.errors import error
from advkd.types import Batch, Shape, Threat

CHANNELS = (1, 3)
"""Of grey images and of colour."""

ENCODED = ("P", "PA", "CMYK", "YCbCr", "LAB", "HSV")
"""Modes of PIL images whose values stand for other things than red, green, blue or grey."""


class Images(Dataset[tuple[Tensor, int]]):
    """`x` (N,C,H,W), uint8 or float in [0,1], and classes `y` (N,)."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        if y.is_floating_point() or y.dim() != 1:
            remedy = "give whole numbers (N,): y.ravel(), or y.argmax(1) where they are one-hot"
            given = f"{y.dtype}, {tuple(y.shape)}"
            raise error("data", "labels are not one class for each image", given=given, remedy=remedy)
        self.x, self.y = x, y.long().cpu()

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return _unit(self.x[index]), int(self.y[index])

    @property
    def shape(self) -> Shape:
        """Channels, height and width."""
        c, h, w = self.x.shape[1:]
        return c, h, w

    def batch(self, indices: Tensor) -> Batch:
        """The images at `indices` as float32 in [0,1]."""
        return Batch(_unit(self.x[indices]), self.y[indices])

    def subset(self, indices: Tensor) -> Images:
        """The images at `indices`, in that order."""
        return Images(self.x[indices], self.y[indices])


def _unit(x: Tensor) -> Tensor:
    return x.float() / 255 if x.dtype == torch.uint8 else x.float()


def checked(x: Tensor, y: Tensor, classes: int | None, place: str) -> Images:
    """The images, or an `AdvkdError` that says what is wrong with them; no `classes` takes any label."""
    if x.dim() != 4 or len(x) != len(y):
        given = f"images {tuple(x.shape)}, labels {tuple(y.shape)}"
        raise error(place, "needs images (N,C,H,W) and as many labels", given=given)
    if len(x) == 0:
        raise error(place, "holds no images", remedy="check the path, the split and its limit")
    if x.dtype != torch.uint8:
        if not x.is_floating_point():
            given, remedy = str(x.dtype), "give uint8 (0 to 255), or floats in [0,1]"
            raise error(place, "not uint8 or float", given=given, remedy=remedy)
        _check_pixels(x, place)
    check_labels(y, classes, place)
    return Images(x, y)


def check_labels(y: Tensor, classes: int | None, place: str) -> None:
    """Raises an `AdvkdError` for a label that is not below `classes`, if there are any, or is negative."""
    outside = ((y < 0) | (y >= (y.max() + 1 if classes is None else classes))).nonzero()
    if len(outside):
        first = int(outside[0])
        given = f"label {int(y[first])} at index {first}"
        wanted = "must not be negative" if classes is None else f"must lie between 0 and {classes - 1}"
        raise error(place, f"labels {wanted}", given=given, remedy="count classes from 0")


def check_every_class(y: Tensor, classes: int, place: str) -> None:
    """Raises an `AdvkdError` for a class below `classes` of which the labels `y` (N,) have none."""
    absent = sorted(set(range(classes)) - set(y.tolist()))
    if absent:
        problem = f"no image of {len(absent)} of {classes} classes"
        given = f"none of class {', '.join(map(str, absent[:5]))}{', ...' if absent[5:] else ''}"
        raise error(place, problem, given=given, remedy="count classes from 0, without gaps")


def check_box(images: Images, threat: Threat) -> None:
    """Raises an `AdvkdError` for pixels outside of the threat's box: no attack on them could keep to it."""
    if not isinstance(threat, Threat):
        raise error("threat", "is no Threat", given=repr(threat), remedy="write advkd.Threat(eps=8/255)")
    if threat.box[0] < 0 or threat.box[1] > 1:
        given = "{:.4g} to {:.4g}".format(*threat.box)
        remedy = "leave it out: 0 to 1 by default, with eps=8/255 for 8 grey levels"
        raise error("threat.box", "exceeds the pixel range [0,1]", given=given, remedy=remedy)
    ends = _unit(torch.stack([images.x.min(), images.x.max()]))
    # in the precision of the pixels, where 0.8 is a little more
    low, high = torch.tensor(threat.box, dtype=ends.dtype, device=ends.device)
    if ends[0] < low or ends[1] > high:
        given = "box {:.4g} to {:.4g}, pixels {:.4g} to {:.4g}".format(*threat.box, *ends.tolist())
        remedy = "give pixels in [0,1], divided by 255 if need be, and a box that holds them"
        raise error("threat.box", "leaves out pixels of the images", given=given, remedy=remedy)


def _check_pixels(x: Tensor, place: str) -> None:
    bad = (~torch.isfinite(x)).flatten(1).any(1).nonzero()
    if len(bad):
        remedy = "repair or remove the image"
        raise error(place, "an image holds NaN or infinity", given=f"index {int(bad[0])}", remedy=remedy)
    low, high = x.min().item(), x.max().item()
    if low >= 0 and high <= 1:
        return
    if low < 0:
        remedy = "normalisation belongs inside the model: give raw pixels, set mean and std of the model"
    else:
        remedy = "divide by 255, or give uint8"
    raise error(place, "pixels must lie in [0,1]", given=f"{low:.4g} to {high:.4g}", remedy=remedy)


def _from_pil(x: Any, index: int, place: str) -> Tensor:
    from PIL.Image import Image
    from torchvision.transforms.functional import pil_to_tensor

    if not isinstance(x, Image):
        given = f"{type(x).__name__} at index {index}"
        remedy = "give tensors (C,H,W): torch.from_numpy(...), or PIL images"
        raise error(place, "an image is neither a tensor nor a PIL image", given=given, remedy=remedy)
    if x.mode in ENCODED:
        problem, remedy = "an image is neither RGB nor greyscale", 'convert it: image.convert("RGB")'
        raise error(place, problem, given=f"mode {x.mode} at index {index}", remedy=remedy)
    tensor: Tensor = pil_to_tensor(x)
    return tensor


def _class(y: Any, index: int, place: str) -> int:
    value: Any = y.item() if isinstance(y, Tensor) and y.numel() == 1 else y
    try:
        return operator.index(value)
    except TypeError:
        remedy = "give the number of the class: argmax where labels are one-hot"
        raise error(
            place, "a label is no whole number", given=f"{y} at index {index}", remedy=remedy
        ) from None


def in_memory(dataset: Dataset[Any], classes: int | None, place: str) -> Images:
    """Any map-style data set of ((C,H,W) tensor or PIL image, int), read once and checked."""
    if isinstance(dataset, Images):
        return checked(dataset.x, dataset.y, classes, place)
    if isinstance(dataset, DataLoader):
        raise error(place, "is a DataLoader", remedy="give the data set in it: loader.dataset")
    if not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")):
        remedy = "give what has len() and data[i]: torch.utils.data.Dataset, TensorDataset, a list of pairs"
        raise error(place, "is no data set", given=type(dataset).__name__, remedy=remedy)
    xs: list[Tensor] = []
    ys: list[int] = []
    for index in range(len(cast(Sized, dataset))):
        item = dataset[index]
        if not isinstance(item, tuple | list) or len(item) != 2:
            given = f"{type(item).__name__} at index {index}"
            raise error(
                place, "an item is no pair", given=given, remedy="give (image, class): (C,H,W) and int"
            )
        x, y = item
        if not isinstance(x, Tensor):
            x = _from_pil(x, index, place)
        if x.dim() == 3 and x.shape[2] in CHANNELS and x.shape[0] not in CHANNELS:
            remedy = "give (C,H,W): image.permute(2, 0, 1)"
            raise error(place, "an image has its channels last", given=tuple(x.shape), remedy=remedy)
        if xs and x.shape != xs[0].shape:
            given = f"index 0 {tuple(xs[0].shape)}, index {index} {tuple(x.shape)}"
            raise error(place, "images differ in size", given=given, remedy="resize them to one size")
        xs.append(x)
        ys.append(_class(y, index, place))
    if not xs:
        raise error(place, "holds no images", remedy="check the path, the split and its limit")
    return checked(torch.stack(xs), torch.tensor(ys), classes, place)
