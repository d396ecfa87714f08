"""The images of a run: training and validation now, test only when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from advkd.config.run import Split
from advkd.data.images import Images, check_every_class, in_memory
from advkd.data.split import for_every_class, limited, stratified
from advkd.errors import AdvkdError, error
from advkd.fingerprints import data_fingerprint
from advkd.protocols import DataSource
from advkd.types import Shape


@dataclass(frozen=True)
class Splits:
    """Training and validation images in memory; `test` opens the rest.

    `given` says that a caller has handed them over in place of those of the configuration.
    """

    train: Images
    validation: Images
    source: DataSource
    split: Split
    given: bool = False

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return self.source.classes

    @property
    def shape(self) -> Shape:
        """Channels, height and width."""
        return self.source.shape

    @cached_property
    def marks(self) -> Mapping[str, str]:
        """What tells the training and validation images from others, by part."""
        parts = {"training": self.train, "validation": self.validation}
        return {name: data_fingerprint(part.x, part.y) for name, part in parts.items()}

    @property
    def own(self) -> str:
        """The name of images that a caller has handed over; empty for those of the configuration."""
        return self.marks["training"] if self.given else ""

    def test(self) -> Images:
        """The test images, for evaluation alone."""
        return opened_part(self.source, "test", self.split)


def split(source: DataSource, how: Split) -> Splits:
    """Opens the training images and carves the validation images from them."""
    if source.classes < 2:
        raise _one_class(f"{source.classes} classes")
    # seen now, for the test images are opened when training is over
    for_every_class("split.test", how.test, source.classes)
    images = opened_part(source, "train", how)
    if (images.y == images.y[0]).all():
        raise _one_class(f"data.train: {len(images)} images, all of class {int(images.y[0])}")
    check_every_class(images.y, source.classes, "data.train")
    rest, part = stratified(images.y, how.validation, how.seed)
    if not len(part) or not len(rest):
        given = f"{len(images)} images, split.validation={how.validation:g}"
        remedy = "use more images, or set split.validation"
        raise error(
            "split", "leaves no image to train on, or none to validate on", given=given, remedy=remedy
        )
    return Splits(images.subset(rest), images.subset(part), source, how)


def _one_class(given: object) -> AdvkdError:
    remedy = "an attack needs another class to reach"
    return error("data", "has one class only", given=given, remedy=remedy)


def opened_part(source: DataSource, part: Literal["train", "test"], how: Split) -> Images:
    """The images of one part of a source, limited as the split says."""
    images = in_memory(source.open(part), source.classes, f"data.{part}")
    if images.shape != tuple(source.shape):
        given = f"{images.shape}, not {tuple(source.shape)}"
        remedy = "bring all images to one size and number of channels (data.size=N of folder)"
        raise error(f"data.{part}", "images have another shape than their source", given=given, remedy=remedy)
    return images.subset(limited(images.y, getattr(how, part), how.seed, f"split.{part}"))
