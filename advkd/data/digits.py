"""scikit-learn's digits (`digits`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from advkd.data.images import Images
from advkd.data.split import stratified
from advkd.types import Shape

SPLIT_SEED = 0


@dataclass(frozen=True, kw_only=True)
class Digits:
    """1,797 handwritten digits of 8x8 pixels, embedded in scikit-learn; a fixed fifth is for testing.

    Source: Alpaydin, Kaynak 1998, Optical Recognition of Handwritten Digits, UCI Machine Learning
    Repository (its test part). The split into training and test is this project's.
    """

    classes: ClassVar[int] = 10
    shape: ClassVar[Shape] = (1, 8, 8)

    def open(self, split: Literal["train", "test"]) -> Images:
        """The images of a split."""
        from sklearn.datasets import load_digits

        content = load_digits()
        x = torch.from_numpy(content.images).float()[:, None] / 16
        y = torch.from_numpy(content.target).long()
        train, test = stratified(y, 0.2, SPLIT_SEED)
        return Images(x, y).subset(train if split == "train" else test)
