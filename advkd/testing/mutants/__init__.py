"""Faulty members, one per check: each is caught by the check it is named after.

They prove that no check is blind. A check of your own deserves one too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, TypeVar

from advkd.registry import YAML_SLOTS, slot_named
from advkd.testing.checks import MEMBERS

T = TypeVar("T")
_planted: dict[str, dict[str, Any]] = {}


def mutants(slot: str) -> Mapping[str, Any]:
    """The faulty members of a slot, by the name of the check that catches them.

    `members` has those of the checks that all slots share; they are losses.
    """
    slot = slot if slot == MEMBERS else slot_named(slot)
    import_module(f"{__name__}.{'configured' if slot in YAML_SLOTS else slot}")
    return dict(_planted[slot])


def plant(slot: str, check: str, member: Any) -> None:
    """Keeps a faulty member under the name of the check that catches it."""
    _planted.setdefault(slot, {})[check] = member


def planted(slot: str, make: Callable[..., Any], **declared: Any) -> Callable[[T], T]:
    """Decorator: a function named after a check becomes the fault of the member `make(run=function)`."""

    def keep(run: T) -> T:
        plant(slot, run.__name__, make(run=run, **declared))  # type: ignore[attr-defined]
        return run

    return keep
