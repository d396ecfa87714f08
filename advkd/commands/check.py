"""`advkd check`."""

from __future__ import annotations

import sys
import textwrap
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from advkd.commands.words import SETTINGS, own_words

STYLES = {"passed": "green", "failed": "red", "excepted": "yellow"}


@click.command(context_settings=SETTINGS)
@click.argument("words", nargs=-1, metavar="SLOT NAME [WORDS]...")
def check(words: tuple[str, ...]) -> None:
    """Run the conformance checks of SLOT (attack, weighting, preset, ...) on the member NAME (or FILE.yaml).

    Words are its options: advkd check weighting boundary kappa=0.5. For presets, settings and suites they
    are those of `advkd run` and `advkd eval`. load=FILE.py registers members first. Exits with status 1
    if a check fails.
    """
    _, words = own_words(words, names=("load",))
    from advkd.errors import error
    from advkd.registry import slot_named
    from advkd.testing.runner import findings

    if len(words) < 2:
        raise error("check", "write a slot and a name", given=" ".join(words), remedy="advkd list shows them")
    slot = slot_named(words[0])
    found = findings(slot, subject(slot, words[1], words[2:]))
    out = Console(highlight=False, soft_wrap=True)
    width = max(len(finding.check) for finding in found)
    told: dict[str, str] = {}
    for finding in found:
        line = Text(f"{finding.state:<8}", STYLES[finding.state])
        out.print(line.append(f"  {finding.check:<{width}}  {finding.sentence}", "default"))
        if finding.why:
            first = told.setdefault(finding.why, finding.check)
            why = finding.why if first == finding.check else f"the same as {first}"
            out.print(Text(textwrap.indent(why, " " * 10)))
    if any(finding.state == "failed" for finding in found):
        sys.exit(1)


def subject(slot: str, name: str, words: tuple[str, ...]) -> Any:
    """What is checked: the member with its options, or the name of a YAML file with its words."""
    import shlex

    from advkd.config.build import member
    from advkd.config.layers import content_of, nested, over
    from advkd.config.words import parse
    from advkd.errors import AdvkdError, Problem
    from advkd.registry import YAML_SLOTS

    if slot in YAML_SLOTS:
        content_of(slot, name)
        return shlex.join((name, *words))
    raw: dict[str, Any] = {"use": name}
    for word in parse(words):
        if word.op != "set":
            raise AdvkdError(Problem(place=word.path, problem="is an option; write it as key=value"))
        raw = over(raw, nested(word.key, word.value))
    return member(slot, raw, "")[0]
