"""What configurations do not share, in words."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

LEARNED = ("preset", "method", "seed")
"""What is learned; all else is the setting."""

FEW = 8
"""Of more holders than these, those that have the commonest value are not named one by one."""


def differing(
    options: Mapping[str, Mapping[str, Any]], left_out: Collection[str] = LEARNED
) -> dict[str, dict[str, Any]]:
    """The options by their path that are not the same for all, and their values by whose they are."""
    flat = {label: dict(leaves(own)) for label, own in options.items()}
    found = {}
    for key in dict.fromkeys(key for of in flat.values() for key in of):
        values = {label: of.get(key) for label, of in flat.items()}
        # an empty mapping is as good as none
        apart = {repr(None if value == {} else value) for value in values.values()}
        if key.partition(".")[0] not in left_out and len(apart) > 1:
            found[key] = values
    return found


def told(values: Mapping[str, Any]) -> str:
    """Every value and whose it is."""
    holders: dict[str, list[str]] = {}
    for label, value in values.items():
        holders.setdefault(word(value), []).append(label)
    commonest = max(holders, key=lambda value: len(holders[value])) if len(values) > FEW else None
    each = [f"{value} for {', '.join(names)}" for value, names in holders.items() if value != commonest]
    if commonest is not None:
        each.append(f"{commonest} for the other {len(holders[commonest])}")
    return "; ".join(each)


def word(value: Any) -> str:
    """A value as it would be typed."""
    return value if isinstance(value, str) else json.dumps(value)


def leaves(node: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """The path and value of everything in `node` that is no mapping, or an empty one."""
    if isinstance(node, Mapping) and node:
        for key, value in node.items():
            yield from leaves(value, f"{place}.{key}".lstrip("."))
    else:
        yield place, node
