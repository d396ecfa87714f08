"""Names and what they stand for: entry points of installed packages, and `register` for scripts.

Names come from the metadata of distributions, so listing them imports nothing. A member is imported
when it is first used; one that fails to import breaks its own name only.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib import import_module, metadata
from typing import Any, TypeVar

from advkd.errors import AdvkdError, Problem, error, unknown
from advkd.registry.installed import CHOICE, OWN, Entry, installed

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

_registered: dict[tuple[str, str], Entry] = {}


def register(slot: str, name: str) -> Callable[[T], T]:
    """Decorator: makes a class answer to `name` in `slot` for this process.

    Raises `AdvkdError` when the slot is unknown or one of YAML files, the name is taken or has a colon, or
    the signature does not fit. A class that is defined again, as in a notebook, takes its own place.
    """
    slot = slot_named(slot)
    if slot in YAML_SLOTS or ":" in name:
        problem = f"{name} has a colon, which begins an option" if ":" in name else f"{slot} are YAML files"
        remedy = "pick another name" if ":" in name else f"write {SLOTS[slot]}=FILE.yaml"
        raise error(f"register {slot}", problem, remedy=remedy)

    def keep(member: T) -> T:
        from advkd.registry.contracts import check

        for entry in installed().entries:
            if (entry.slot, entry.name) == (slot, name):
                problem = f"{name} is taken by {entry.distribution}"
                raise error(f"register {slot}", problem, remedy="pick another name")
        check(slot, f"{SLOTS[slot]} {name}", member)
        target = f"{getattr(member, '__module__', '?')}:{getattr(member, '__qualname__', name)}"
        if (slot, name) in _registered and (other := _registered[slot, name].target) != target:
            raise error(f"register {slot}", f"{name} is taken by {other}", remedy="pick another name")
        _registered[slot, name] = Entry(slot, name, target, "registered in this process", member=member)
        return member

    return keep


def slot_named(word: str) -> str:
    """The slot a word names, singular or plural; an error names the nearest one."""
    for plural, singular in SLOTS.items():
        if word in (plural, singular):
            return plural
    raise AdvkdError(unknown("slot", "slot", word, SLOTS, "write one of the names"))


def registered() -> dict[tuple[str, str], Entry]:
    """What `register` has added in this process, by slot and name."""
    return dict(_registered)


def entries(slot: str) -> dict[str, list[Entry]]:
    """Every name of a slot, sorted, with all who claim it."""
    found: dict[str, list[Entry]] = {}
    for entry in installed().entries:
        if entry.slot == slot:
            found.setdefault(entry.name, []).append(entry)
    found |= {name: [entry] for (other, name), entry in _registered.items() if other == slot}
    return dict(sorted(found.items()))


def find(slot: str, name: str, place: str = "") -> Entry:
    """The one entry of a name; errors for no such name and for one with a `fault`."""
    claims = entries(slot).get(name, [])
    if not claims:
        hidden = [e.who for e in installed().left_out if (e.slot, e.name) == (slot, name)]
        remedy = f"{CHOICE} leaves out {' and '.join(hidden)}, which has it" if hidden else ""
        own = f"{SLOTS[slot]}=FILE.yaml takes" if slot in YAML_SLOTS else "load=FILE.py adds"
        remedy = remedy or f"advkd list {slot} shows them all; {own} one of your own"
        raise AdvkdError(unknown(place or SLOTS[slot], SLOTS[slot], name, entries(slot), remedy))
    problem = fault(claims, place)
    if problem is not None:
        raise AdvkdError(problem)
    return claims[0]


def fault(claims: list[Entry], place: str = "") -> Problem | None:
    """What is wrong with a name as far as metadata tells: claimed twice, or written for another advkd."""
    entry = claims[0]
    singular = SLOTS[entry.slot]
    if len(claims) > 1:
        who = " and ".join(sorted(claim.who for claim in claims))
        return Problem(
            place=place or singular,
            problem=f"{singular} {entry.name} is claimed by two distributions: {who}",
            remedy=f"uninstall one of them, or name those you want in {CHOICE}",
        )
    if entry.unmet:
        here = metadata.version(OWN)
        return Problem(
            place=place or singular,
            problem=f"{singular} {entry.name} is written for another advkd",
            given=f"{entry.who} requires advkd {entry.unmet}, this is {here}",
            remedy=f"pip install 'advkd{entry.unmet}', or another version of {entry.distribution}",
        )
    return None


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
    from advkd.registry.contracts import check

    module, _, attribute = entry.target.partition(":")
    place = f"{SLOTS[entry.slot]} {entry.name}"
    if not attribute:
        remedy = f"write {entry.name} = {module}:CLASS"
        raise error(place, f"the entry point of {entry.who} names no class", given=module, remedy=remedy)
    try:
        member = functools.reduce(getattr, attribute.split("."), import_module(module))
    # a module that ends the process would take all other names with it
    except (Exception, SystemExit) as cause:
        problem = Problem(
            place=place,
            problem=f"cannot be imported from {entry.who}",
            given=f"{entry.target}: {type(cause).__name__}: {cause}",
            remedy=entry.remedy,
        )
        raise AdvkdError(problem) from cause
    check(entry.slot, f"{place} of {entry.who}", member)
    return member
