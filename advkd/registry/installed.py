"""What installed distributions bring to the slots, read from their metadata; nothing is imported.

`ADVKD_PLUGINS` limits whose names count: distributions separated by commas, none when it is empty.
"""

from __future__ import annotations

import functools
import logging
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from typing import Any

log = logging.getLogger("advkd")

CHOICE = "ADVKD_PLUGINS"
OWN = "advkd"


@dataclass(frozen=True)
class Entry:
    """A name of a slot, where it points to (`module:attribute`), and who brings it.

    `unmet` is what its distribution requires of advkd and this advkd is not, like `>=9`.
    """

    slot: str
    name: str
    target: str
    distribution: str
    version: str = ""
    member: Any = None
    unmet: str = ""

    @property
    def who(self) -> str:
        """Distribution and version."""
        return f"{self.distribution} {self.version}".strip()

    def brings(self, cls: type) -> bool:
        """Whether `cls` is the class it points to."""
        return self.member is cls or self.target == f"{cls.__module__}:{cls.__qualname__}"

    @property
    def remedy(self) -> str:
        """What to do about an entry that does not work."""
        return f"repair or uninstall {self.distribution}; all other names still work"


@dataclass(frozen=True)
class Installed:
    """The entries of all distributions whose names count, and of those that are left out."""

    entries: tuple[Entry, ...]
    left_out: tuple[Entry, ...]


@functools.cache
def installed() -> Installed:
    """What there is in this process; warns of a distribution that `ADVKD_PLUGINS` names in vain."""
    brought = _brought()
    choice = os.environ.get(CHOICE)
    if choice is None:
        return Installed(tuple(e for found in brought.values() for e in found), ())
    wanted = {canonical(name): name.strip() for name in choice.split(",") if name.strip()}
    for name in wanted.keys() - brought.keys():
        log.warning("%s names %s, which is not installed or brings nothing", CHOICE, wanted[name])
    wanted[OWN] = OWN
    kept = [e for name, found in brought.items() if name in wanted for e in found]
    rest = [e for name, found in brought.items() if name not in wanted for e in found]
    return Installed(tuple(kept), tuple(rest))


def canonical(name: str) -> str:
    """A distribution's name as it is compared: `Advkd_Late` is `advkd-late`."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def _brought() -> dict[str, tuple[Entry, ...]]:
    found: dict[str, tuple[Entry, ...]] = {}
    for distribution in metadata.distributions():
        entries = _entries(distribution)
        if entries:
            # the first on the path counts, as it does for imports
            found.setdefault(canonical(entries[0].distribution), entries)
    return found


def _entries(distribution: metadata.Distribution) -> tuple[Entry, ...]:
    try:
        if f"[{OWN}." not in (distribution.read_text("entry_points.txt") or ""):
            return ()
        name, version = distribution.name, distribution.version
        unmet = "" if canonical(name) == OWN else _unmet(distribution.requires or ())
        return tuple(
            Entry(point.group.removeprefix(f"{OWN}."), point.name, point.value, name, version, unmet=unmet)
            for point in distribution.entry_points
            if point.group.startswith(f"{OWN}.")
        )
    # whatever somebody's metadata holds, the names of all others still count
    except Exception as cause:
        where = getattr(distribution, "_path", "a distribution")
        log.warning("the metadata in %s cannot be read: %s", where, cause)
        return ()


def _unmet(requirements: Iterable[str]) -> str:
    from packaging.requirements import Requirement

    here = metadata.version(OWN)
    for requirement in map(Requirement, requirements):
        applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        met = requirement.specifier.contains(here, prereleases=True)
        if canonical(requirement.name) == OWN and applies and not met:
            return str(requirement.specifier)
    return ""
