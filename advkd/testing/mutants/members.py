"""Losses that are wrong as members of any slot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from advkd.testing.checks import MEMBERS
from advkd.testing.mutants import plant
from advkd.testing.mutants.losses import ce


class Right:
    """Cross-entropy."""

    kind: ClassVar[str] = "label"

    def __call__(self, logits: Tensor, target: Tensor) -> Tensor:
        """(B,N) and (B,) to (B,)."""
        return ce(logits, target)


@dataclass(kw_only=True)
class Thawed(Right):
    """Its options can be assigned to."""

    scale: float = 1.0


@dataclass(frozen=True)
class Positional(Right):
    """Its options can be swapped."""

    scale: float = 1.0
    shift: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Bare(Right):
    """An option without its annotation."""

    scale = 1.0


@dataclass(frozen=True, kw_only=True)
class Unwritable(Right):
    """A default that its own type refuses."""

    steps: int = 0.5  # type: ignore[assignment]


@dataclass(frozen=True, kw_only=True)
class Silent(Right):  # noqa: D101
    pass


@dataclass(frozen=True, kw_only=True)
class Excused(Right):
    """An exception without a reason."""

    excepted: ClassVar[Mapping[str, str]] = {"logit_shift": ""}


@dataclass(frozen=True, kw_only=True)
class Demanding(Right):
    """It wants more than its slot gives it."""

    def __call__(self, logits: Tensor, target: Tensor, temperature: float) -> Tensor:  # type: ignore[override]
        """(B,N) and (B,) to (B,)."""
        return ce(logits / temperature, target)


plant(MEMBERS, "frozen_dataclass", Thawed())
plant(MEMBERS, "options_by_keyword", Positional())
plant(MEMBERS, "options_are_annotated", Bare())
plant(MEMBERS, "defaults_can_be_written", Unwritable())
plant(MEMBERS, "says_what_it_is", Silent())
plant(MEMBERS, "exceptions_have_reasons", Excused())
plant(MEMBERS, "signature_fits", Demanding())
