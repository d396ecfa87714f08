"""A check: a plain function of a member whose docstring is the sentence shown when it fails."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeVar

from advkd.errors import AdvkdError
from advkd.registry import YAML_SLOTS, slot_named

Run = Callable[[Any], None]
F = TypeVar("F", bound=Run)
When = Callable[[Any], bool]

MEMBERS = "members"
"""Where the checks are kept that hold for the members of every slot."""


class Broken(AssertionError):  # noqa: N818
    """A promise that was not kept; the text says what was found instead."""


def require(kept: object, found: str) -> None:
    """Raises `Broken` unless `kept`. Unlike `assert`, it also does so under `python -O`."""
    if not kept:
        raise Broken(found)


@dataclass(frozen=True)
class Check:
    """One promise of a slot.

    `when` says from what a member declares whether it has made that promise. `of` gives what is checked
    where that is not the member itself: the method of a preset.
    """

    run: Run
    when: When | None = None
    of: Callable[[Any], Any] = lambda member: member

    @property
    def name(self) -> str:
        """The name of the function."""
        return str(getattr(self.run, "__name__", self.run))

    @property
    def sentence(self) -> str:
        """The first paragraph of its docstring, on one line."""
        return " ".join((inspect.getdoc(self.run) or "").split("\n\n")[0].split())

    def concerns(self, member: Any) -> bool:
        """Whether `member` has made this promise; one that cannot even be asked has."""
        try:
            subject = self.of(member)
        except AdvkdError:
            # the check of just that says so; once is enough
            return False
        try:
            return self.when is None or self.when(subject)
        # what a member does wrong here, the check itself will show
        except Exception:
            return True


_known: dict[str, dict[str, Check]] = {}


def check(slot: str, when: When | None = None, **more: Callable[[Any], Any]) -> Callable[[F], F]:
    """Decorator: makes a function a check of `slot`, for the members of which `when` is true."""

    def keep(run: F) -> F:
        found = Check(run, when, **more)
        _known.setdefault(slot, {})[found.name] = found
        return run

    return keep


def checks(slot: str) -> Mapping[str, Check]:
    """Every check of a slot (plural or singular) by name, those of all members first."""
    slot = slot_named(slot)
    if slot in YAML_SLOTS:
        import_module("advkd.testing.configured")
        return dict(_known[slot])
    import_module(f"advkd.testing.{MEMBERS}")
    import_module(f"advkd.testing.{slot}")
    return {**_known[MEMBERS], **_known[slot]}
