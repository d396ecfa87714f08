"""From raw values to members: each option checked against the signature that takes it."""

from __future__ import annotations

import dataclasses
import inspect
import json
import types
from collections.abc import Mapping
from typing import Any, get_args, get_origin, get_type_hints

from pydantic import PydanticSchemaGenerationError, TypeAdapter, ValidationError

from advkd.config.values import UNIONS, fractional, written
from advkd.errors import AdvkdError, Problem, error, unknown
from advkd.protocols import SLOT_OF
from advkd.registry import SLOTS, entries, load, split_name


def member(slot: str, raw: Any, place: str) -> tuple[Any, Any]:
    """The member of a slot that `raw` (`NAME` or `{use: NAME, ...}`) describes, and its full dump."""
    problems: list[Problem] = []
    value, dump = Builder(problems).component(slot, raw, place)
    if problems:
        raise AdvkdError(*problems)
    return value, dump


def options_of(cls: Any) -> dict[str, tuple[Any, Any]]:
    """The options of a member by name: annotation, and default (`inspect.Parameter.empty` if none)."""
    owner = cls if dataclasses.is_dataclass(cls) or not inspect.isclass(cls) else cls.__init__
    try:
        hints = get_type_hints(owner, include_extras=True)
    except NameError as cause:
        remedy = "import it where the module runs, not under TYPE_CHECKING"
        place = f"{cls.__module__}.{cls.__qualname__}"
        raise error(place, f"an annotation cannot be read: {cause}", remedy=remedy) from cause
    found = {}
    for name, parameter in inspect.signature(cls).parameters.items():
        default = parameter.default
        for field in dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ():
            if field.name == name and field.default_factory is not dataclasses.MISSING:
                default = field.default_factory()
        found[name] = (hints.get(name, Any), default)
    return found


def without_none(annotation: Any) -> Any:
    """X for `X | None`; anything else as it is."""
    inner = [a for a in get_args(annotation) if a is not types.NoneType]
    alone = get_origin(annotation) in UNIONS and len(inner) == 1
    return inner[0] if alone else annotation


def slot_of(annotation: Any) -> str | None:
    """The slot an annotation is filled from."""
    return SLOT_OF.get(annotation) if inspect.isclass(annotation) else None


def entry_annotation(annotation: Any) -> Any:
    """X for `Mapping[str, X]` or `dict[str, X]` of things that are built, None for all others."""
    if get_origin(annotation) in (Mapping, dict):
        inner = get_args(annotation)[1]
        if slot_of(inner) or dataclasses.is_dataclass(inner):
            return inner
    return None


def groups_of(cls: Any) -> dict[str, type]:
    """The dataclasses among the options of `cls`, alone or in a mapping, that are no members of a slot."""
    of = {
        name: without_none(entry_annotation(annotation) or annotation)
        for name, (annotation, _) in options_of(cls).items()
    }
    return {
        name: inner
        for name, inner in of.items()
        if inspect.isclass(inner) and dataclasses.is_dataclass(inner)
    }


def entry_named(annotation: Any, key: str, raw: Any) -> Any:
    """An entry of a mapping of members; one without `use` means the member its key names."""
    return {"use": key, **raw} if slot_of(annotation) and isinstance(raw, dict) else raw


class Builder:
    """Builds by annotation and collects every problem on the way; a value with problems is None."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems

    def build(self, annotation: Any, raw: Any, place: str) -> tuple[Any, Any]:
        """The value an option gets, and its dump with all defaults filled in."""
        inside = without_none(annotation)
        if raw is None and inside is not annotation:
            return None, None
        annotation, slot = inside, slot_of(inside)
        if slot:
            return self.component(slot, raw, place)
        if dataclasses.is_dataclass(annotation):
            return self.record(annotation, raw, place)
        inner = entry_annotation(annotation)
        if inner is not None and not isinstance(raw, dict):
            remedy = f"set one entry, {place}.NAME=VALUE, or take one out, drop={place}.NAME"
            problem = Problem(place=place, problem="is a group of entries", given=str(raw), remedy=remedy)
            self.problems.append(problem)
            return None, None
        if inner is not None:
            built = {
                k: self.build(inner, entry_named(inner, k, v), f"{place}.{k}")
                for k, v in raw.items()
                if v is not None
            }
            return {k: v for k, (v, _) in built.items()}, {k: d for k, (_, d) in built.items()}
        return self._plain(annotation, raw, place)

    def component(self, slot: str, raw: Any, place: str) -> tuple[Any, Any]:
        """A member of a slot from `NAME` or `{use: NAME, option: value}`."""
        raw = {"use": raw} if isinstance(raw, str) else raw
        if not isinstance(raw, dict) or not isinstance(raw.get("use"), str):
            remedy = f"write the name of a {SLOTS[slot]} or {{use: NAME, option: value}}"
            self.problems.append(
                Problem(place=place, problem=f"names no {SLOTS[slot]}", given=str(raw), remedy=remedy)
            )
            return None, None
        name, rest = split_name(raw["use"])
        try:
            cls = load(slot, name, place)
        except AdvkdError as cause:
            self.problems += cause.problems
            return None, None
        options = {key: value for key, value in raw.items() if key != "use"}
        if rest is not None:
            options = {next(iter(options_of(cls)), "name"): rest, **options}
        value, dump = self.record(cls, options, place, f"advkd show {SLOTS[slot]} {name} explains them")
        return value, None if dump is None else {"use": name, **dump}

    def record(self, cls: Any, raw: Any, place: str, hint: str = "") -> tuple[Any, Any]:
        """An object of a class with options, from a mapping; `hint` says where they are explained."""
        if not isinstance(raw, dict):
            remedy = f"set its options: {place}.{next(iter(options_of(cls)), 'option')}=..."
            self.problems.append(
                Problem(place=place, problem="is a group of options", given=str(raw), remedy=remedy)
            )
            return None, None
        options = options_of(cls)
        before = len(self.problems)
        for key in raw.keys() - options.keys():
            remedy = hint or "advkd show preset=NAME prints them all with their values"
            self.problems.append(unknown(f"{place}.{key}".lstrip("."), "option", key, options, remedy))
        values, dump = {}, {}
        for key, (annotation, default) in options.items():
            inside = f"{place}.{key}".lstrip(".")
            if key in raw:
                values[key], dump[key] = self.build(annotation, raw[key], inside)
            elif default is inspect.Parameter.empty:
                self.problems.append(
                    Problem(place=inside, problem="needs a value", remedy=f"write {inside}=VALUE")
                )
            else:
                dump[key] = self._default(annotation, default, inside)
        if len(self.problems) > before:
            return None, None
        return self._construct(cls, values, place), dump

    def _default(self, annotation: Any, default: Any, place: str) -> Any:
        """The dump of a default; members in it are named, so that `run.yaml` can be read back."""
        inside = without_none(annotation)
        slot, inner = slot_of(inside), entry_annotation(inside)
        if default is None:
            return None
        if inner is not None:
            return {key: self._default(inner, value, f"{place}.{key}") for key, value in default.items()}
        claims = (entry for found in entries(slot).values() for entry in found) if slot else ()
        names = [entry.name for entry in claims if entry.brings(type(default))]
        try:
            if not slot and not dataclasses.is_dataclass(inside):
                return written(default)
            own = {"use": names[0]} if slot else {}
            options = options_of(type(default))
            return own | {
                key: self._default(of, getattr(default, key), f"{place}.{key}")
                for key, (of, _) in options.items()
            }
        except (TypeError, IndexError, AttributeError):
            remedy = "options are numbers, strings, lists and mappings: use a name for it"
            given = repr(default)
            self.problems.append(
                Problem(place=place, problem="its default is no plain value", given=given, remedy=remedy)
            )
        return None

    def _construct(self, cls: Any, values: Mapping[str, Any], place: str) -> Any:
        try:
            return cls(**values)
        except AdvkdError as cause:
            for problem in cause.problems:
                last = problem.place.rpartition(".")[2]
                self.problems.append(dataclasses.replace(problem, place=f"{place}.{last}".lstrip(".")))
        except ValueError as cause:
            who = place or cls.__name__
            self.problems.append(Problem(place=who, problem=str(cause), given=str(dict(values))))
        return None

    def _plain(self, annotation: Any, raw: Any, place: str) -> tuple[Any, Any]:
        try:
            given = json.dumps(raw)
        except TypeError:
            self.problems.append(Problem(place=place, problem="is not a plain value", given=repr(raw)))
            return None, None
        try:
            value = TypeAdapter(fractional(annotation)).validate_json(given, strict=True)
            return value, written(value)
        except ValidationError as cause:
            kinds = dict.fromkeys(e["msg"].removeprefix("Input should be ") for e in cause.errors())
            wanted = "; or ".join(kinds).replace("a valid array", "a list")
            remedy = f"write {place}=VALUE with a value of that kind"
            if wanted == "a list":
                remedy = f"write {place}=[{raw}]"
            problem = Problem(place=place, problem=f"should be {wanted}", given=repr(raw), remedy=remedy)
            self.problems.append(problem)
        except (PydanticSchemaGenerationError, TypeError):
            says = f"is annotated as {annotation}, which words cannot set"
            remedy = "annotate it with numbers, strings, lists, mappings, dataclasses or an advkd protocol"
            self.problems.append(Problem(place=place, problem=says, given=repr(raw), remedy=remedy))
        return None, None
