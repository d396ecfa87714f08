"""Does a member fit its slot? Its signature is laid beside the protocol's before it is ever called."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, get_args

from torch import nn

from advkd import protocols
from advkd.errors import AdvkdError, Problem, error, unknown
from advkd.protocols import Kind, Knowledge, LossKind

PROTOCOL_OF = {slot: protocol for protocol, slot in protocols.SLOT_OF.items()}

VALUES = {
    "evaluators": {"kind": get_args(Kind), "knowledge": get_args(Knowledge)},
    "losses": {"kind": get_args(LossKind)},
}
"""Class attributes that have one of a few values."""

OPTIONAL = ("modifiers",)
"""Slots whose members leave out what they do not need of their contract."""


def check(slot: str, place: str, member: Any) -> None:
    """Raises an `AdvkdError` that shows both sides where `member` cannot be called as `slot` calls."""
    protocol = PROTOCOL_OF.get(slot)
    if protocol is None:
        return
    if not inspect.isclass(member):
        remedy = "write a class, best a frozen dataclass: its fields are the options"
        raise error(place, "is not a class", given=type(member).__name__, remedy=remedy)
    if issubclass(member, nn.Module):
        given = "torch.nn.Module"
        if slot == "models":
            remedy = "register a frozen dataclass whose __call__(classes, shape) gives a new network"
            raise error(place, "is a network, not what makes one", given=given, remedy=remedy)
        remedy = "write a frozen dataclass with the hooks of its slot; `modules()` of a method are trained"
        raise error(place, "is a network, so its options are unknown", given=given, remedy=remedy)
    for attribute, allowed in VALUES.get(slot, {}).items():
        value = _own(member, attribute)
        # what a property answers is known of an object alone
        if hasattr(member, attribute) and not hasattr(value, "__get__") and value not in allowed:
            raise AdvkdError(unknown(f"{place}.{attribute}", attribute, value, allowed))
    if isinstance(nets := getattr(member, "nets", ()), str):
        remedy = f'write nets: ClassVar[tuple[str, ...]] = ("{nets}",)'
        raise error(place, "nets must be a tuple of names", given=nets, remedy=remedy)
    contract = {k: v for k, v in vars(protocol).items() if not k.startswith("_") or k == "__call__"}
    if slot in OPTIONAL:
        hooks, contract = contract, {k: v for k, v in contract.items() if hasattr(member, k)}
        if not contract:
            raise error(place, "has no hook of its slot", remedy=f"write one of {', '.join(hooks)}")
    for method, wanted in contract.items():
        if isinstance(wanted, property):
            _has(slot, place, member, method)
        elif inspect.isfunction(wanted):
            _fits(place, _own(member, method), wanted)


def _own(member: type, attribute: str) -> Any:
    """An attribute of a class or its bases; every class has the `__call__` of its metaclass besides."""
    return getattr(member, attribute) if any(attribute in vars(of) for of in member.__mro__) else None


def _has(slot: str, place: str, member: Any, attribute: str) -> None:
    annotations = (inspect.get_annotations(kind).get(attribute) for kind in member.__mro__)
    annotation = next((found for found in annotations if found is not None), None)
    # a field gets its value with the object, a ClassVar that has none never does
    if hasattr(member, attribute) or (annotation is not None and "ClassVar" not in str(annotation)):
        return
    allowed = VALUES.get(slot, {}).get(attribute, ())
    one = f': write {attribute}: ClassVar[Literal{[*allowed]}] = "{allowed[0]}", say' if allowed else ""
    remedy = f"the contract of its slot asks for it{one}"
    raise AdvkdError(Problem(place=place, problem=f"has no {attribute}", names=allowed, remedy=remedy))


def _fits(place: str, given: Callable[..., Any] | None, wanted: Callable[..., Any]) -> None:
    expected = inspect.signature(wanted)
    contract = f"{wanted.__name__}{expected}"
    if given is None or not callable(given):
        raise error(place, f"has no {wanted.__name__}", remedy=f"the contract is {contract}")
    actual = inspect.signature(given)
    try:
        actual.bind(*expected.parameters)
    except TypeError:
        raise error(
            place,
            "does not fit the contract of its slot",
            given=f"{wanted.__name__}{actual}",
            remedy=f"the contract is {contract}; give what goes beyond it a default",
        ) from None
