"""Data sources with one fault each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from advkd.testing.mutants import plant, planted
from advkd.testing.parts import images
from advkd.types import Shape

Pairs = list[tuple[Tensor, int]]
CLASSES = 3


@dataclass(frozen=True, kw_only=True)
class Source:
    """Twelve random images of three classes a split, but for what `run` does to them."""

    run: Callable[[Pairs, str], Pairs]
    classes: int = CLASSES
    shape: Shape = (1, 4, 4)

    def open(self, split: str) -> Any:
        """Pairs of image and label."""
        return self.run(right(split), split)


def right(split: str) -> Pairs:
    """What a conforming source holds."""
    x = images(12, 1, 4, 4, seed=len(split)).float()
    return [(image, i % CLASSES) for i, image in enumerate(x)]


fault = planted("data", Source)


@fault
def both_splits_hold_images(pairs: Pairs, split: str) -> Pairs:
    """There is no test image."""
    return pairs if split == "train" else []


@fault
def images_have_the_shape(pairs: Pairs, split: str) -> Pairs:
    """A column is missing."""
    return [(x[..., :3], y) for x, y in pairs]


@fault
def pixels_lie_in_the_box(pairs: Pairs, split: str) -> Pairs:
    """Pixels are normalised."""
    return [((x - 0.5) / 0.25, y) for x, y in pairs]


@fault
def labels_count_from_zero(pairs: Pairs, split: str) -> Pairs:
    """Labels are counted from one."""
    return [(x, y + 1) for x, y in pairs]


@fault
def there_is_another_class(pairs: Pairs, split: str) -> Pairs:
    """Only one class is there."""
    return [(x, 0) for x, _ in pairs]


@fault
def splits_are_disjoint(pairs: Pairs, split: str) -> Pairs:
    """The test split is the training split."""
    return right("train")


@fault
def leaves_no_trace(pairs: Pairs, split: str) -> Pairs:
    """It shuffles by the global generator, and sorts."""
    torch.rand(1)
    return pairs


@dataclass(frozen=True, kw_only=True)
class Late:
    """It counts its classes in the training images, and guesses until then."""

    shape: Shape = (1, 4, 4)
    _opened: list[str] = field(default_factory=list, init=False)

    @property
    def classes(self) -> int:
        """Those of what was opened last."""
        return CLASSES if self._opened[-1:] == ["train"] else 10

    def open(self, split: str) -> Any:
        """Pairs of image and label."""
        self._opened.append(split)
        return right(split)


@dataclass(frozen=True, kw_only=True)
class Turning:
    """Every opening turns the order round."""

    classes: int = CLASSES
    shape: Shape = (1, 4, 4)
    _opened: list[str] = field(default_factory=list, init=False)

    def open(self, split: str) -> Any:
        """Pairs of image and label."""
        self._opened.append(split)
        return right(split)[:: 1 if len(self._opened) % 2 else -1]


plant("data", "shape_and_classes_come_first", Late())
plant("data", "opens_the_same_twice", Turning())
