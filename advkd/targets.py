"""The grammar of targets: `label`, `goal`, or `net@point` with point `start`, `here` or `end`."""

from __future__ import annotations

from dataclasses import dataclass

from advkd.errors import error, nearest

POINTS = ("start", "here", "end")


@dataclass(frozen=True)
class Target:
    """A parsed target: a class (`label`, `goal`), or what a network says at a point of the path."""

    text: str
    net: str = ""
    point: str = ""

    @property
    def kind(self) -> str:
        """Which losses take it: `label` or `divergence`."""
        return "divergence" if self.net else "label"


def parse(text: str, place: str = "target") -> Target:
    """The target that `text` names; an error says which ones exist."""
    if text in ("label", "goal"):
        return Target(text)
    net, at, point = text.partition("@")
    if at and net and point in POINTS:
        return Target(text, net, point)
    examples = ["label", "goal", *(f"{who}@{p}" for who in ("teacher", "student") for p in POINTS)]
    close = nearest(text, examples)
    hint = f"did you mean {close}? " if close else ""
    raise error(
        place,
        "not a target",
        given=text,
        remedy=f"{hint}write label, goal, or net@point with point start, here or end",
    )
