"""Names and what they stand for: entry points of installed packages, and `register` for scripts.

Names come from the metadata of distributions, so listing them imports nothing. A member is imported
when it is first used; one that fails to import breaks its own name only.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module, metadata
from typing import Any, TypeVar

from advkd.errors import AdvkdError, Problem, error, unknown

SLOTS = {
    "attacks": "attack",
    "paths": "path",
    "weightings": "weighting",
    "losses": "loss",
    "methods": "method",
    "modifiers": "modifier",
    "data": "data",
    "models": "model",
    "evaluators": "evaluator",
    "reporters": "reporter",
    "presets": "preset",
    "settings": "setting",
    "suites": "suite",
}
"""Every slot: plural as folder and entry-point group, singular as key."""

YAML_SLOTS = ("presets", "settings", "suites")
"""Slots whose entries name a package that holds `NAME.yaml`."""

T = TypeVar("T")


@dataclass(frozen=True)
class Entry:
    """A name of a slot, where it points to (`module:attribute`), and who brings it."""

    slot: str
    name: str
    target: str
    distribution: str
    version: str = ""
    member: Any = None


_registered: dict[tuple[str, str], Entry] = {}


def register(slot: str, name: str) -> Callable[[T], T]:
    """Decorator: makes a class answer to `name` in `slot` (plural) for this process.

    Raises `AdvkdError` when the slot is unknown, the name is taken, or the signature does not fit.
    """
    slot_named(slot)

    def keep(member: T) -> T:
        from advkd.contracts import check

        taken = [e for e in _installed(slot).get(name, []) if e.member is None]
        if taken:
            raise error(
                f"register {slot}", f"{name} is taken by {taken[0].distribution}", remedy="pick another name"
            )
        check(slot, f"{SLOTS[slot]} {name}", member)
        target = f"{getattr(member, '__module__', '?')}:{getattr(member, '__qualname__', name)}"
        _registered[slot, name] = Entry(slot, name, target, "registered in this process", member=member)
        return member

    return keep


def slot_named(word: str) -> str:
    """The slot a word names, singular or plural; an error names the nearest one."""
    for plural, singular in SLOTS.items():
        if word in (plural, singular):
            return plural
    raise AdvkdError(unknown("slot", "slot", word, SLOTS, "write one of the names"))


def entries(slot: str) -> dict[str, list[Entry]]:
    """Every name of a slot, sorted, with all who claim it."""
    found = dict(_installed(slot))
    for (other, name), entry in _registered.items():
        if other == slot:
            found[name] = [entry]
    return dict(sorted(found.items()))


def find(slot: str, name: str, place: str = "") -> Entry:
    """The one entry of a name; errors for no such name and for a name claimed twice."""
    singular = SLOTS[slot]
    claims = entries(slot).get(name, [])
    if not claims:
        raise AdvkdError(
            unknown(place or singular, singular, name, entries(slot), f"advkd list {slot} shows them all")
        )
    if len(claims) > 1:
        who = " and ".join(sorted(f"{c.distribution} {c.version}".strip() for c in claims))
        raise error(
            place or singular,
            f"{singular} {name} is claimed by two distributions: {who}",
            remedy="uninstall one of them",
        )
    return claims[0]


def load(slot: str, name: str, place: str = "") -> Any:
    """The member behind a name, imported on first use and checked against the slot's contract."""
    entry = find(slot, name, place)
    if entry.member is not None:
        return entry.member
    return _imported(entry)


def split_name(name: str) -> tuple[str, str | None]:
    """`timm:resnet18` as the member `timm` and its option `resnet18`."""
    member, colon, rest = name.partition(":")
    return member, rest if colon else None


@functools.cache
def _imported(entry: Entry) -> Any:
    from advkd.contracts import check

    module, _, attribute = entry.target.partition(":")
    try:
        member = functools.reduce(getattr, attribute.split("."), import_module(module))
    except Exception as cause:
        problem = Problem(
            place=f"{SLOTS[entry.slot]} {entry.name}",
            problem=f"cannot be imported from {entry.distribution} {entry.version}".rstrip(),
            given=f"{entry.target}: {type(cause).__name__}: {cause}",
            remedy=f"repair or uninstall {entry.distribution}; all other names still work",
        )
        raise AdvkdError(problem) from cause
    check(entry.slot, f"{SLOTS[entry.slot]} {entry.name}", member)
    return member


@functools.cache
def _installed(slot: str) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    seen: set[tuple[str, str, str]] = set()
    for point in metadata.entry_points(group=f"advkd.{slot}"):
        who = point.dist.name if point.dist else "?"
        # an editable install can show one distribution twice on the path
        if (point.name, point.value, who) in seen:
            continue
        seen.add((point.name, point.value, who))
        version = point.dist.version if point.dist else ""
        found.setdefault(point.name, []).append(Entry(slot, point.name, point.value, who, version))
    return found
