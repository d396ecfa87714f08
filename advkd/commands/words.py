"""The words of a command that are not configuration: where to write, what to load first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from advkd.errors import AdvkdError, unknown

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
            own[key] = value
        else:
            rest.append(word)
    if "load" in own:
        from advkd.pyfile import imported

        imported(Path(own["load"]).expanduser(), "load")
    return own, tuple(rest)
