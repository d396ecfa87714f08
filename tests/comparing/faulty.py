"""Members that do what no member should: losses that fail or kill, data that may not be opened for a test."""

import os
import signal
from dataclasses import dataclass, field

import advkd
from advkd.registry import load


@advkd.register("losses", "failing")
@dataclass(frozen=True)
class Failing:
    """Raises when it is asked."""

    kind: str = field(default="label", init=False)

    def __call__(self, logits, target):
        raise ZeroDivisionError("planted")


@advkd.register("losses", "killing")
@dataclass(frozen=True)
class Killing:
    """Ends its process as the system does where memory has run out."""

    kind: str = field(default="label", init=False)

    def __call__(self, logits, target):
        os.kill(os.getpid(), signal.SIGKILL)


@advkd.register("data", "closed")
@dataclass(frozen=True)
class Closed:
    """Digits whose test images nobody may see."""

    classes: int = field(default=10, init=False)
    shape: tuple = field(default=(1, 8, 8), init=False)

    def open(self, split):
        assert split == "train", "the test split was opened"
        return load("data", "digits")().open(split)
