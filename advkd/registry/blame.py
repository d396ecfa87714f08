"""Whose code an unexpected exception came from: a plugin's author is told where, without a traceback."""

from __future__ import annotations

import traceback
from types import FrameType

from advkd.errors import AdvkdError, error
from advkd.registry import SLOTS, YAML_SLOTS, registered
from advkd.registry.installed import OWN, Entry, installed


def blamed(cause: BaseException) -> AdvkdError | None:
    """The error of the plugin whose line is the innermost on the way to `cause`; None if there is none."""
    frames = [
        (frame, line, brought)
        for frame, line in traceback.walk_tb(cause.__traceback__)
        if (brought := [e for e in _foreign() if _top(e.target) == _top(frame.f_globals.get("__name__", ""))])
    ]
    if not frames:
        return None
    frame, line, brought = frames[-1]
    # a function of the package has no member: it failed on the way from one that has
    entry = next((e for other, _, b in reversed(frames) for e in b if _is(e, other)), None)
    place, remedy = f"package {brought[0].who}", "advkd --debug shows the traceback"
    if entry is not None:
        place = f"{SLOTS[entry.slot]} {entry.name}"
        command = f"advkd check {SLOTS[entry.slot]} {entry.name} {_load(entry, frame.f_code.co_filename)}"
        remedy = f"{command}says what the slot asks for; {remedy}"
    told = f"{frame.f_code.co_filename}:{line}, in {frame.f_code.co_name} ({(entry or brought[0]).who})"
    return error(place, f"{type(cause).__name__}: {cause}", given=told, remedy=remedy)


def _is(entry: Entry, frame: FrameType) -> bool:
    """Whether a frame is of a method of the member."""
    cls = type(frame.f_locals.get("self"))
    return entry.member is cls or entry.target == f"{cls.__module__}:{cls.__qualname__}"


def _foreign() -> list[Entry]:
    """What others bring; the members first, then the YAML files of the same packages."""
    found = [*registered().values(), *(e for e in installed().entries if e.distribution != OWN)]
    return sorted(found, key=lambda entry: entry.slot in YAML_SLOTS)


def _top(target: str) -> str:
    return target.partition(":")[0].partition(".")[0]


def _load(entry: Entry, file: str) -> str:
    return f"load={file} " if entry.member is not None else ""
