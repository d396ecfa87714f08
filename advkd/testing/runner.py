"""Checks run on a member, without pytest: a list of findings."""

from __future__ import annotations

import dataclasses
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from advkd.errors import AdvkdError, unknown
from advkd.testing.checks import Broken, Check, checks

WIDEST = 70
"""Characters of a title; what is longer is cut."""


@dataclass(frozen=True)
class Finding:
    """What came of one check: `passed`, `failed`, or `excepted` where a declared exception holds.

    `why` says what was found instead of what `sentence` promises, or the reason of the exception.
    """

    check: str
    sentence: str
    state: Literal["passed", "failed", "excepted"]
    why: str = ""

    def __str__(self) -> str:
        return f"{self.sentence}\n\n{self.why}" if self.why else self.sentence


@dataclass(frozen=True)
class Trial:
    """One check for one member; `reason` says why it is known to fail, where that is declared."""

    check: Check
    member: Any
    reason: str = ""

    @property
    def title(self) -> str:
        """`shape-Late(power=3)`."""
        return f"{self.check.name}-{title(self.member)}"

    def __call__(self) -> Finding:
        """Runs the check."""
        reason = self.reason
        try:
            subject = self.check.of(self.member)
            reason = reason or declared(subject).get(self.check.name, "")
            why = _broken(self.check, subject)
        except Exception as cause:
            why = _told(cause)
        if reason and not why:
            why = f"It passes, so the exception declared for it has to go. Its reason was: {reason}"
            return self._found("failed", why)
        if reason:
            return self._found("excepted", reason)
        return self._found("failed" if why else "passed", why)

    def _found(self, state: Literal["passed", "failed", "excepted"], why: str) -> Finding:
        return Finding(self.check.name, self.check.sentence, state, why)


def trials(slot: str, *members: Any, except_: Mapping[str, str] | None = None) -> Iterator[Trial]:
    """Every check that concerns a member, member by member.

    `except_` gives the reason of each check that is known to fail. Raises `AdvkdError` for a name that
    is no check of the slot, or that concerns none of the members.
    """
    known, reasons = checks(slot), dict(except_ or {})
    found = [Trial(c, m, reasons.get(c.name, "")) for m in members for c in known.values() if c.concerns(m)]
    for name in reasons.keys() - {trial.check.name for trial in found}:
        remedy = "except_ names checks that concern the members it is given with"
        raise AdvkdError(unknown("except_", "check", name, {trial.check.name for trial in found}, remedy))
    return iter(found)


def findings(slot: str, *members: Any, except_: Mapping[str, str] | None = None) -> list[Finding]:
    """What comes of every check that concerns the members."""
    return [trial() for trial in trials(slot, *members, except_=except_)]


def declared(member: Any) -> Mapping[str, str]:
    """The exceptions a member declares itself, in `excepted`: reasons by name of check."""
    found: Mapping[str, str] = getattr(member, "excepted", {})
    return found


def title(member: Any) -> str:
    """A member as it is written, with the options that are not at their defaults: `Late(power=3)`."""
    if not dataclasses.is_dataclass(member) or isinstance(member, type):
        text = str(member)
    else:
        options = [
            f"{field.name}={title(getattr(member, field.name))}"
            for field in dataclasses.fields(member)
            if field.init and field.repr and not _at_default(field, getattr(member, field.name))
        ]
        text = f"{type(member).__name__}({', '.join(options)})"
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 3]}..."


def _at_default(field: dataclasses.Field[Any], value: Any) -> bool:
    if field.default_factory is not dataclasses.MISSING:
        return bool(value == field.default_factory())
    return field.default is not dataclasses.MISSING and bool(value == field.default)


def _broken(check: Check, member: Any) -> str:
    """What was found instead of what the check promises; empty if it is kept."""
    try:
        check.run(member)
    # the errors of the toolkit say what is wrong without a traceback
    except (Broken, AdvkdError) as cause:
        return str(cause)
    return ""


def _told(cause: Exception) -> str:
    """An exception of the member's own, with the frames that lead to it, or where its answer was used."""
    told = traceback.TracebackException.from_exception(cause)
    kit = str(Path(__file__).parent)
    own = [frame for frame in told.stack if not frame.filename.startswith(kit)]
    told.stack[:] = own or told.stack[-1:]
    return "".join(told.format(chain=False)).rstrip()
