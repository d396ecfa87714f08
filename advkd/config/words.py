"""The words of a command line: `a.b=value`, `+a.b={...}`, `~a.b`, `drop=a.b`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from advkd.errors import AdvkdError, Problem, error


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
    """A YAML value; text that only looks like YAML is an error that shows it."""
    if not text:
        return ""
    try:
        content = OmegaConf.create(f"value: {text}")
        return OmegaConf.to_container(content, resolve=False)["value"]  # type: ignore[index, call-overload]
    except (YAMLError, OmegaConfBaseException) as cause:
        first = str(cause).split("\n")[0]
        raise error(place, f"is not a YAML value: {first}", given=text, remedy="quote it") from None
