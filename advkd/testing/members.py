"""What members of every slot promise."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

from advkd.config.build import Builder, options_of
from advkd.errors import Problem
from advkd.registry.contracts import PROTOCOL_OF
from advkd.registry.contracts import check as fits
from advkd.testing.checks import MEMBERS, check, checks, require


@check(MEMBERS)
def frozen_dataclass(member: Any) -> None:
    """A member is a frozen dataclass: its fields are its options, and nothing changes them."""
    require(dataclasses.is_dataclass(member), f"{type(member).__name__} is no dataclass")
    parameters = getattr(type(member), "__dataclass_params__", None)
    require(parameters and parameters.frozen, "its fields can be assigned to; write @dataclass(frozen=True)")


@check(MEMBERS)
def options_by_keyword(member: Any) -> None:
    """Options are given by keyword only, so that two numbers cannot be swapped."""
    positional = [
        name
        for name, parameter in inspect.signature(type(member)).parameters.items()
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY
    ]
    require(not positional, f"{', '.join(positional)} can be given by position; write kw_only=True")


@check(MEMBERS)
def options_are_annotated(member: Any) -> None:
    """A number in the class is an option only if annotated; otherwise it cannot be set."""
    for kind in type(member).__mro__:
        annotated = inspect.get_annotations(kind)
        for name, value in vars(kind).items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            bare = number and name not in annotated and not name.startswith("_")
            require(not bare, f"write {name}: {type(value).__name__} = {value}, or ClassVar for a constant")


@check(MEMBERS)
def defaults_can_be_written(member: Any) -> None:
    """What `advkd show` prints as the default of an option can be written back as a word."""
    for key, (annotation, default) in options_of(type(member)).items():
        if not isinstance(default, (int, float, str, bool)):
            continue
        problems: list[Problem] = []
        value, _ = Builder(problems).build(annotation, default, key)
        require(not problems, "\n".join(map(str, problems)))
        require(value == default, f"{key}={default!r} becomes {value!r}")


@check(MEMBERS)
def says_what_it_is(member: Any) -> None:
    """The docstring of a member opens with the sentence that `advkd list` shows."""
    own = type(member).__doc__ or ""
    # what `dataclass` writes where there is none
    generated = own == f"{type(member).__name__}{inspect.signature(type(member))}".replace(" -> None", "")
    require(own.strip() and not generated, "it has no docstring of its own")


for _slot in PROTOCOL_OF:

    @check(_slot)
    def exceptions_have_reasons(member: Any, slot: str = _slot) -> None:
        """Every exception a member declares in `excepted` names a check of its slot and has a reason."""
        for name, reason in getattr(member, "excepted", {}).items():
            require(name in checks(slot), f"there is no check {name}")
            require(isinstance(reason, str) and reason.strip(), f"the exception {name} has no reason")

    @check(_slot)
    def signature_fits(member: Any, slot: str = _slot) -> None:
        """A member can be called as the contract of its slot calls it."""
        fits(slot, type(member).__name__, type(member))
