"""Whose code an unexpected exception came from: a plugin's author is told where, without a traceback."""

from __future__ import annotations

import traceback
from types import FrameType

from advkd.errors import AdvkdError, error
from advkd.registry import SLOTS, YAML_SLOTS, registered
from advkd.registry.installed import OWN, Entry, installed


def blamed(cause: BaseException) -> AdvkdError | None:
    """The error of the plugin whose line is the innermost on the way to `cause`; None if there is none."""
    foreign = _foreign()
    frames = [
        (frame, line, brought)
        for frame, line in reversed(list(traceback.walk_tb(cause.__traceback__)))
        if (brought := [e for e in foreign if _top(e.target) == _top(frame.f_globals.get("__name__", ""))])
    ]
    if not frames:
        return None
    frame, line, (first, *_) = frames[0]
    place, remedy = f"package {first.who}", "advkd --debug shows the traceback"
    # a function beside the members is none of them: it was called on the way from one
    members = ((entry, other) for other, _, brought in frames for entry in brought if _is(entry, other))
    if found := next(members, None):
        entry, other = found
        place = f"{SLOTS[entry.slot]} {entry.name}"
        check = f"advkd check {place} {_load(entry, other.f_code.co_filename)}"
        remedy = f"{check}says what the slot asks for; {remedy}"
    told = f"{frame.f_code.co_filename}:{line}, in {frame.f_code.co_name} ({first.who})"
    return error(place, f"{type(cause).__name__}: {cause}", given=told, remedy=remedy)


def _is(entry: Entry, frame: FrameType) -> bool:
    """Whether a frame is of a method of the member."""
    return entry.brings(type(frame.f_locals.get("self")))


def _foreign() -> list[Entry]:
    """What others bring; the members first, then the YAML files of the same packages."""
    found = [*registered().values(), *(e for e in installed().entries if e.distribution != OWN)]
    return sorted(found, key=lambda entry: entry.slot in YAML_SLOTS)


def _top(target: str) -> str:
    return target.partition(":")[0].partition(".")[0]


def _load(entry: Entry, file: str) -> str:
    return f"load={file} " if entry.member is not None else ""
