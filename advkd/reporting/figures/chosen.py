"""Which methods a picture tells apart."""

from __future__ import annotations

from advkd.reporting.material import Group, Material
from advkd.reporting.words import ranked

MOST = 12
"""Methods that can be told apart in one picture."""


def told_apart(material: Material) -> list[Group]:
    """The methods with a line or a mark of their own: all, or the most robust where there are too many."""
    names = {group.name for group in ranked(material)[:MOST]}
    return [group for group in material.groups if group.name in names]


def left(material: Material) -> list[Group]:
    """The other methods."""
    names = {group.name for group in ranked(material)[MOST:]}
    return [group for group in material.groups if group.name in names]


def said(material: Material) -> str:
    """What a caption says where not every method has a line."""
    every = len(material.groups)
    return f" The {MOST} most robust of {every} methods." if every > MOST else ""
