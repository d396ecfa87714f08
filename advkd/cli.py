"""The command line: `advkd run`, `advkd list`, `advkd show`."""

from __future__ import annotations

import logging
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from advkd.errors import AdvkdError, Interrupted, error, unknown

if TYPE_CHECKING:
    from advkd.protocols import Reporter
    from advkd.result import Result

RUN_WORDS = ("out", "load", "resume")
SETTINGS = {"ignore_unknown_options": True, "help_option_names": ["-h", "--help"]}

err = Console(stderr=True, soft_wrap=True, highlight=False)


class _Commands(click.Group):
    """Turns errors a user can repair into one message and exit status 2."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except AdvkdError as cause:
            if ctx.params.get("debug"):
                raise
            err.print(str(cause), style="red" if err.is_terminal else "", markup=False)
            sys.exit(2)
        except Interrupted as stop:
            command = ctx.invoked_subcommand
            again = "the same command" if command == "eval" else f"advkd run resume={stop.folder}"
            err.print(f"\nstopped; go on with: {again}", markup=False)
            sys.exit(130)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(metadata.version("advkd"), prog_name="advkd")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(debug: bool) -> None:  # noqa: ARG001
    """Small robust students from large robust teachers, compared honestly.

    Words are key=value: advkd run preset=path-dual setting=digits epochs=5
    """
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("note: %(message)s"))
    log = logging.getLogger("advkd")
    log.handlers = [handler]
    log.setLevel(logging.INFO)


@main.command(context_settings=SETTINGS)
@click.argument("words", nargs=-1)
def run(words: tuple[str, ...]) -> None:
    """Train a student, evaluate it, leave a run folder.

    preset=NAME says what is learned, setting=NAME on what (digits if absent); any key of `advkd show`
    changes it: epochs=5, student.width=16, method.branches.untargeted.attack.steps=20. Further words:
    out=DIR, seed=N, device=auto, load=FILE.py (registers members first), resume=DIR (goes on).
    """
    own, words = _own_words(words)
    if "load" in own:
        _loaded(own["load"])
    from advkd.reporters.console import Console as Progress
    from advkd.tables import results

    progress = Progress()
    try:
        result = _ran(own, words, progress)
    finally:
        progress.close()
    results(Console(), result)


def _ran(own: dict[str, str], words: tuple[str, ...], progress: Reporter) -> Result:
    from advkd import api

    if "resume" not in own:
        return api.train(api.resolve(*words), out=own.get("out"), reporters=[progress])
    if words or "out" in own:
        raise error("resume", "takes no other words", given=" ".join(words), remedy="the folder says it all")
    return api.resume(own["resume"], reporters=[progress])


@main.command(name="eval", context_settings=SETTINGS)
@click.argument("target")
@click.argument("words", nargs=-1)
@click.option("--strict", is_flag=True, help="Exit with status 3 if a check raises a flag.")
def eval_(target: str, words: tuple[str, ...], strict: bool) -> None:
    """Judge the robustness of TARGET, and doubt the verdict.

    TARGET is a run folder, a file of weights (model=NAME if it does not say), timm:NAME or another model
    source, or FILE.py:FUNCTION. suite=quick|standard|full, setting=NAME or data=... threat.eps=...,
    teacher=FILE, limit=N, budget=10m, save=images, out=DIR, seed=N. The same command goes on where it
    was stopped.
    """
    own, words = _own_words(words)
    if "load" in own:
        _loaded(own["load"])
    import functools

    from advkd.auditing.case import resolve_case
    from advkd.auditing.open import judged
    from advkd.auditing.tables import progress, verdict_table

    console = Console()
    case = resolve_case(target, *words)
    verdict = judged(case, own.get("out"), functools.partial(progress, console))
    verdict_table(console, verdict)
    if strict and verdict.flags:
        sys.exit(3)


@main.command()
def selftest() -> None:
    """Prove on this machine that the checks of `eval` see planted faults, and only those."""
    from advkd.auditing.selftest import run, table

    found = run()
    table(Console(), found)
    if not all(row.as_expected for row in found):
        sys.exit(1)


@main.command(name="list")
@click.argument("slot", required=False)
def list_(slot: str | None) -> None:
    """List every name: of all slots, or of one (attacks, presets, ...)."""
    from advkd.registry import SLOTS, slot_named
    from advkd.tables import names

    names(Console(), [slot_named(slot)] if slot else list(SLOTS))


@main.command(context_settings=SETTINGS)
@click.argument("words", nargs=-1)
def show(words: tuple[str, ...]) -> None:
    """Show a member (weighting boundary) or a resolved run (preset=rslad epochs=5)."""
    from advkd import tables
    from advkd.registry import find, slot_named, split_name

    own, words = _own_words(words)
    if "load" in own:
        _loaded(own["load"])
    if words and "=" not in words[0]:
        slot = slot_named(words[0])
        if len(words) != 2:
            raise error("show", "write a slot and a name", given=" ".join(words), remedy=f"advkd list {slot}")
        tables.member(Console(), find(slot, split_name(words[1])[0]))
        return
    from advkd.config.resolve import resolve

    tables.resolved(Console(), resolve(*words))


def _own_words(words: tuple[str, ...]) -> tuple[dict[str, str], tuple[str, ...]]:
    own = {}
    rest = []
    for word in words:
        key, equals, value = word.partition("=")
        if word.startswith("-"):
            raise AdvkdError(
                unknown("word", "option", word, ["--help"], "words are key=value, without dashes")
            )
        if equals and key in RUN_WORDS:
            own[key] = value
        else:
            rest.append(word)
    return own, tuple(rest)


def _loaded(name: str) -> None:
    """Imports a Python file, so that what it registers can be used."""
    from advkd.pyfile import imported

    imported(Path(name).expanduser(), "load")
