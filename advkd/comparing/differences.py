"""Differences between the runs of a comparison other than the method, and which presets cause them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from advkd.comparing.request import Entrant
from advkd.config.layers import named
from advkd.config.run import Run
from advkd.config.words import parse

LEARNED = ("preset", "method", "modifiers", "seed")
"""What an entrant may have of its own: what is learned. All else is the setting."""

FEW = 8
"""Of more entrants than these, those that have the commonest value are not named one by one."""


def differences(runs: Mapping[str, Run]) -> list[str]:
    """Every option besides what is learned that is not the same for all."""
    return [f"{key}: {_told(values)}" for key, values in _apart(runs).items()]


def changes(entrant: Entrant, runs: Mapping[str, Run]) -> Iterator[str]:
    """What its preset changes of its setting so that runs differ; what its own words say is not hidden."""
    before = dict(_leaves(named("settings", runs[entrant.label].setting), ""))
    preset, *words = entrant.words
    typed, apart = [word.path for word in parse(tuple(words))], _apart(runs)
    for key, value in _leaves(named("presets", preset.partition("=")[2]), ""):
        if before.get(key) == value or any(_within(key, path) for path in typed):
            continue
        # a component may be written as a name, and is resolved to its options
        if any(_within(key, other) or _within(other, key) for other in apart):
            yield f"{entrant.label} sets {key}={_word(value)}"


def _apart(runs: Mapping[str, Run]) -> dict[str, dict[str, Any]]:
    """The options besides what is learned that are not the same for all, and their values by label."""
    options = {label: dict(_leaves(run.resolved, "")) for label, run in runs.items()}
    found = {}
    for key in dict.fromkeys(key for of in options.values() for key in of):
        values = {label: of.get(key) for label, of in options.items()}
        if key.partition(".")[0] not in LEARNED and len({repr(value) for value in values.values()}) > 1:
            found[key] = values
    return found


def _told(values: Mapping[str, Any]) -> str:
    """Every value and whose it is."""
    holders: dict[str, list[str]] = {}
    for label, value in values.items():
        holders.setdefault(_word(value), []).append(label)
    commonest = max(holders, key=lambda value: len(holders[value])) if len(values) > FEW else None
    told = [f"{value} for {', '.join(names)}" for value, names in holders.items() if value != commonest]
    if commonest is not None:
        told.append(f"{commonest} for the other {len(holders[commonest])}")
    return "; ".join(told)


def _word(value: Any) -> str:
    """A value as it would be typed."""
    return value if isinstance(value, str) else json.dumps(value)


def _within(key: str, path: str) -> bool:
    return f"{key}.".startswith(f"{path}.")


def _leaves(node: Any, place: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, Mapping) and node:
        for key, value in node.items():
            yield from _leaves(value, f"{place}.{key}".lstrip("."))
    else:
        yield place, node
