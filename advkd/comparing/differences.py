"""Differences between the runs of a comparison other than the method, and which presets cause them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from advkd.comparing.request import Entrant
from advkd.config.differing import differing, leaves, told, word
from advkd.config.layers import named
from advkd.config.run import Run
from advkd.config.words import parse


def differences(runs: Mapping[str, Run]) -> list[str]:
    """Every option besides what is learned that is not the same for all."""
    return [f"{key}: {told(values)}" for key, values in _apart(runs).items()]


def changes(entrant: Entrant, runs: Mapping[str, Run]) -> Iterator[str]:
    """What its preset changes of its setting so that runs differ; what its own words say is not hidden."""
    before = dict(leaves(named("settings", runs[entrant.label].setting)))
    preset, *words = entrant.words
    typed, apart = [one.path for one in parse(tuple(words))], _apart(runs)
    for key, value in leaves(named("presets", preset.partition("=")[2])):
        if _kept(key, value, before) or any(_within(key, path) for path in typed):
            continue
        # a component may be written as a name, and is resolved to its options
        if any(_within(key, other) or _within(other, key) for other in apart):
            yield f"{entrant.label} sets {key}={word(value)}"


def _kept(key: str, value: Any, before: Mapping[str, Any]) -> bool:
    """Whether a setting has the value as well; null says nothing where the setting has nothing there."""
    if key in before:
        return bool(before[key] == value)
    return value is None and not any(_within(other, key) for other in before)


def _apart(runs: Mapping[str, Run]) -> dict[str, dict[str, Any]]:
    return differing({label: run.resolved for label, run in runs.items()})


def _within(key: str, path: str) -> bool:
    return f"{key}.".startswith(f"{path}.")
