"""Small float64 networks and a run of seconds, which most tests share."""

from __future__ import annotations

import advkd
from advkd.config.run import Run
from advkd.testing.parts import small_net, undecided

__all__ = ["TINY", "resolved", "small_net", "undecided"]

TINY = (
    "setting=digits",
    "split.train=300",
    "split.test=60",
    "epochs=3",
    "batch_size=32",
    "student.width=4",
    "teacher.preset=standard",
    "teacher.epochs=8",
    "teacher.batch_size=16",
    "teacher.model.width=8",
    "evaluation.pgd-20.restarts=1",
)

LOSS = """
from dataclasses import dataclass
import advkd
from advkd.losses.label import CE

@advkd.register("losses", "scaled")
@dataclass(frozen=True)
class Scaled(CE):
    def __call__(self, logits, target):
        return {} * super().__call__(logits, target)
"""
"""A file that registers a loss, multiplied by what is put in."""


def resolved(*words: str) -> Run:
    """`path-dual` with `words`."""
    return advkd.resolve("preset=path-dual", *words)
