"""The words of a command line: `a.b=value`, `+a.b={...}`, `~a.b`, `drop=a.b`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from advkd.config.values import keyed, misread
from advkd.errors import AdvkdError, Problem, error

KEY = "value: "
"""What makes the text of a value a YAML document."""


@dataclass(frozen=True)
class Word:
    """One change: `key` is the path split at dots."""

    op: Literal["set", "add", "drop"]
    key: tuple[str, ...]
    value: Any = None

    @property
    def path(self) -> str:
        """The key as it is written."""
        return ".".join(self.key)


def parse(words: tuple[str, ...]) -> list[Word]:
    """All words, parsed; every word that cannot be is a problem of one `AdvkdError`."""
    found: list[Word] = []
    problems: list[Problem] = []
    for text in words:
        _parse_into(text, found, problems)
    if problems:
        raise AdvkdError(*problems)
    return found


def _parse_into(text: str, found: list[Word], problems: list[Problem]) -> None:
    try:
        found.append(_parse(text))
    except AdvkdError as cause:
        problems += cause.problems


def _parse(text: str) -> Word:
    if text.startswith("~"):
        return Word("drop", _key(text[1:], text))
    name, equals, value = text.partition("=")
    if not equals:
        raise error("word", "is not key=value", given=text, remedy="write preset=rslad, epochs=2 or ~a.b")
    if name == "drop":
        return Word("drop", _key(value, text))
    op: Literal["set", "add"] = "add" if name.startswith("+") else "set"
    return Word(op, _key(name.lstrip("+"), text), value_of(value, name))


def _key(name: str, text: str) -> tuple[str, ...]:
    key = tuple(name.strip().split("."))
    if not all(key):
        raise error("word", "has an empty name in its key", given=text, remedy="write a.b=value")
    return key


def value_of(text: str, place: str) -> Any:
    """A YAML value; text that only looks like YAML, or that YAML reads otherwise, is an error."""
    if not text:
        raise error(
            place,
            "is empty",
            given=f"{place}=",
            remedy=f"write {place}=VALUE or {place}=null, or leave it out",
        )
    try:
        _as_written(text, place)
        content = OmegaConf.create(f"{KEY}{text}")
        return keyed(OmegaConf.to_container(content, resolve=False)["value"])  # type: ignore[index, call-overload]
    except (YAMLError, OmegaConfBaseException) as cause:
        first = str(cause).split("\n")[0]
        remedy = "quote it" if "${" not in text else "${ would stand for another value; rename what it names"
        raise error(place, f"is not a YAML value: {first}", given=text, remedy=remedy) from None


def _as_written(text: str, place: str) -> None:
    """Raises for text of which YAML leaves something out, and for numbers it counts in eights or sixties."""
    quoted = f"""quote it for YAML as well: '{place}="..."'"""
    if "\n" in text:
        remedy = "write it in one line; in double quotes \\n is a line break"
        raise error(place, "a value is one line", given=repr(text), remedy=remedy)
    document = yaml.compose(f"{KEY}{text}", yaml.SafeLoader)
    assert document is not None
    value: yaml.Node = document.value[0][1]
    # a comment that is all there is lies before the end of the empty value
    rest = text.strip() if value.value == "" else text[value.end_mark.index - len(KEY) :].strip()
    if rest.startswith("#"):
        raise error(place, f"YAML takes {rest} for a comment", given=text, remedy=quoted)
    for node, read in misread(value):
        remedy = f"write the value, a number without leading zeros or colons; for text, {quoted}"
        raise error(place, f"YAML reads {node.value} as {read}", given=text, remedy=remedy)
