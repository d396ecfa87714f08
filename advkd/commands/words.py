"""The words of a command that are not configuration: where to write, what to load first."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from advkd.errors import AdvkdError, error, unknown
from advkd.files import expanded

log = logging.getLogger("advkd")

RUN_WORDS = ("out", "load", "resume")
SETTINGS: dict[str, Any] = {"ignore_unknown_options": True, "help_option_names": ["-h", "--help"]}
"""Of a click command that takes words: `~a.b` and `-x` reach `own_words`, which explains."""


def own_words(
    words: Sequence[str], names: Sequence[str] = RUN_WORDS
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The words of a command named by `names`, by key, and all others; imports the file of `load`."""
    own: dict[str, str] = {}
    rest = []
    for word in words:
        key, equals, value = word.partition("=")
        if word.startswith("-"):
            raise AdvkdError(
                unknown("word", "option", word, ["--help"], "words are key=value, without dashes")
            )
        if equals and key in names:
            if key in own or not value:
                problem = "is given twice" if key in own else "is empty"
                given = f"{own[key]}, {value}" if key in own else word
                raise error(key, problem, given=given, remedy=f"write {key}=VALUE once, or leave it out")
            own[key] = value
        else:
            rest.append(word)
    if "load" in own:
        _loaded(expanded(own["load"]))
    return own, tuple(rest)


def _loaded(file: Path) -> None:
    from advkd.registry import registered
    from advkd.registry.pyfile import imported

    before = registered()
    imported(file, "load")
    if registered() == before:
        log.info("load: %s registers nothing; a member needs @advkd.register(SLOT, NAME) above it", file)
