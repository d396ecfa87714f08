"""Applying words to plain values, with the schema at hand to tell a typing error from a new entry."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from advkd.config.build import entry_annotation, entry_named, options_of, slot_of, without_none
from advkd.config.layers import Raw, nested, over
from advkd.config.run import Spec
from advkd.config.words import Word
from advkd.errors import AdvkdError, Problem, nearest, unknown
from advkd.registry import load, split_name


def applied(raw: Raw, words: list[Word], problems: list[Problem], spec: type = Spec) -> Raw:
    """`raw` after all words, in their order; a word that cannot be applied becomes a problem.

    `spec` is the dataclass that `raw` describes. A mapping given to a group of entries, alone or within
    another, says which there are.
    """
    problems += _eps_of_another_norm(raw, words)
    for index, word in enumerate(words):
        problem = _misfit(raw, word, spec)
        if problem is not None:
            problems.append(problem)
        elif word.op == "drop":
            # in a member that is unknown there is nothing to drop: the builder tells which it is
            if isinstance(holder := _parent(raw, word.key), dict):
                holder[word.key[-1]] = None
        else:
            annotation, node = _described(raw, word.key, spec)
            value = _whole(word.value, annotation, node)
            raw = over(raw, nested(word.key, value))
            # of any other value its builder says what it should have been
            if isinstance(value, dict) or (slot_of(annotation) is not None and value is not None):
                problems += _undone(raw, words[:index], word, spec)
    return raw


def _eps_of_another_norm(raw: Raw, words: list[Word]) -> Iterator[Problem]:
    """A norm that words change without eps, which is a length in it."""
    threat, norms = raw.get("threat"), [word.value for word in words if word.path == "threat.norm"]
    typed = {word.path for word in words}
    if not norms or not isinstance(threat, dict) or "eps" not in threat or typed & {"threat", "threat.eps"}:
        return
    if norms[-1] != (before := threat.get("norm", "linf")):
        problem = f"eps {threat['eps']} was set for {before}"
        remedy = "write threat.eps= as well"
        yield Problem(place="threat.norm", problem=problem, given=str(norms[-1]), remedy=remedy)


def _whole(value: Any, annotation: Any, node: Any) -> Any:
    """`value` with None for every entry of `node` that a group of entries, at any depth of it, leaves out."""
    if not isinstance(value, dict):
        return value
    known, inner = node if isinstance(node, dict) else {}, entry_annotation(annotation)
    if inner is None:
        both = {**known, **value}
        return {
            key: _whole(own, _annotation(annotation, both, key), known.get(key)) for key, own in value.items()
        }
    there = {name: entry_named(inner, name, old) for name, old in known.items()}
    return {
        **dict.fromkeys(known),
        **{name: _whole(own, inner, there.get(name)) for name, own in value.items()},
    }


def _undone(raw: Raw, earlier: list[Word], word: Word, spec: type) -> Iterator[Problem]:
    """The options given before `word` that the component it puts in their place does not take over."""
    within = len(word.key)
    for other in earlier:
        if other.op == "drop" or other.key[:within] != word.key or len(other.key) == within:
            continue
        holder = _described(raw, other.key[:-1], spec)[1]
        if not isinstance(holder, dict) or other.key[-1] not in holder:
            into = f"{word.path}={{use: ..., {other.key[within]}: ...}}"
            yield Problem(
                place=other.path,
                problem=f"is dropped: {word.path} comes after it",
                given=str(other.value),
                remedy=f"write it after {word.path}, or into {into}",
            )


def _described(raw: Raw, key: tuple[str, ...], spec: type) -> tuple[Any, Any]:
    """What is annotated and what stands at a path; None for what nothing describes."""
    annotation: Any = spec
    node: Any = raw
    for name in key:
        inner = entry_annotation(annotation)
        known = node.get(name) if isinstance(node, dict) else None
        annotation = _annotation(annotation, node, name) if inner is None else inner
        node = None if known is None else entry_named(inner, name, known)
    return annotation, node


def _parent(raw: Any, key: tuple[str, ...]) -> Any:
    for name in key[:-1]:
        raw = raw.get(name) if isinstance(raw, dict) else None
    return raw


def _misfit(raw: Raw, word: Word, spec: type) -> Problem | None:
    for depth, name in enumerate(word.key):
        annotation, node = _described(raw, word.key[:depth], spec)
        if annotation is None:
            # an option nothing knows: of a value for it the builder tells, beside all others
            return _nowhere(raw, word.key[:depth], spec) if word.op == "drop" else None
        inner = entry_annotation(annotation)
        last = depth == len(word.key) - 1
        known = node if isinstance(node, dict) else {}
        place = ".".join(word.key[: depth + 1])
        if inner is not None:
            problem = _entry(word, place, name, [k for k, v in known.items() if v is not None], last)
            if problem is not None:
                return problem
        elif last and word.op == "add":
            return Problem(
                place=place, problem="is not a new entry", remedy=f"write {place}=VALUE to set an option"
            )
        elif last and word.op == "drop":
            return Problem(
                place=place,
                problem="is an option; only entries can be dropped",
                remedy=f"write {place}=VALUE to set it",
            )
    return None


def _nowhere(raw: Raw, key: tuple[str, ...], spec: type) -> Problem | None:
    options = _options(*_described(raw, key[:-1], spec))
    if options is None:
        return None
    return unknown(".".join(key), "option", key[-1], options, "only what is there can be dropped")


def _entry(word: Word, place: str, name: str, known: list[str], last: bool) -> Problem | None:
    adding = word.op == "add" and last
    if adding and name in known:
        return Problem(
            place=place, problem="is there already", remedy=f"write {place}... without + to change it"
        )
    if not adding and name not in known:
        return Problem(
            place=place,
            problem="no such entry",
            given=name,
            nearest=nearest(name, known),
            names=known,
            remedy=f"to add one, write +{place}={{...}}",
        )
    return None


def _annotation(annotation: Any, node: Any, name: str) -> Any:
    """What the option `name` of a group or component is annotated with; None if there is no such option."""
    options = _options(annotation, node) or {}
    return without_none(options.get(name, (None, None))[0])


def _options(annotation: Any, node: Any) -> Mapping[str, tuple[Any, Any]] | None:
    """The options of a group or component; None of what has none, or is unknown."""
    slot = slot_of(annotation)
    if slot is None:
        return options_of(annotation) if dataclasses.is_dataclass(annotation) else None
    use = node.get("use") if isinstance(node, dict) else node
    if not isinstance(use, str):
        return None
    try:
        return options_of(load(slot, split_name(use)[0]))
    except AdvkdError:
        return None
