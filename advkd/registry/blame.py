"""Whose code an unexpected exception came from: a plugin's author is told where, without a traceback."""

from __future__ import annotations

import traceback

from advkd.errors import AdvkdError, error
from advkd.registry import SLOTS, YAML_SLOTS, registered
from advkd.registry.installed import OWN, Entry, installed


def blamed(cause: Exception) -> AdvkdError | None:
    """The error of the plugin whose line is the innermost on the way to `cause`; None if there is none."""
    for frame, line in reversed(list(traceback.walk_tb(cause.__traceback__))):
        module = frame.f_globals.get("__name__", "")
        brought = [entry for entry in _foreign() if _top(entry.target) == _top(module)]
        if brought:
            entry = next((e for e in brought if e.target.partition(":")[0] == module), brought[0])
            code = frame.f_code
            return error(
                f"{SLOTS[entry.slot]} {entry.name}",
                f"{type(cause).__name__}: {cause}",
                given=f"{code.co_filename}:{line}, in {code.co_name} ({entry.who})",
                remedy=f"advkd check {SLOTS[entry.slot]} {entry.name} {_load(entry, code.co_filename)}"
                "says what the slot asks for; advkd --debug shows the traceback",
            )
    return None


def _foreign() -> list[Entry]:
    """What others bring; the members first, then the YAML files of the same packages."""
    found = [*registered().values(), *(e for e in installed().entries if e.distribution != OWN)]
    return sorted(found, key=lambda entry: entry.slot in YAML_SLOTS)


def _top(target: str) -> str:
    return target.partition(":")[0].partition(".")[0]


def _load(entry: Entry, file: str) -> str:
    return f"load={file} " if entry.member is not None else ""
