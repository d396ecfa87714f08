"""`advkd eval` and `advkd selftest`."""

from __future__ import annotations

import sys

import click
from rich.console import Console

from advkd.commands.words import SETTINGS, own_words


@click.command(name="eval", context_settings=SETTINGS)
@click.argument("target")
@click.argument("words", nargs=-1)
@click.option(
    "--strict", is_flag=True, help="Exit with status 3 if a check raises a flag or the audit is not complete."
)
def eval_(target: str, words: tuple[str, ...], strict: bool) -> None:
    """Judge the robustness of TARGET and check the verdict.

    TARGET is a run folder, a file of weights (model=NAME if it does not say), timm:NAME or another model
    source, or FILE.py:FUNCTION. suite=quick|compare|standard|full (standard if absent), setting=NAME or
    data=... threat.eps=..., teacher=FILE, limit=N, budget=10m, save=images, out=DIR, seed=N. The same
    command goes on where it was stopped.
    """
    own, words = own_words(words, ("out", "load"))
    import functools

    from advkd import api
    from advkd.auditing.case import resolve_case
    from advkd.auditing.tables import progress, verdict_table

    console = Console()
    case = resolve_case(target, *words)
    verdict = api.judge(case, own.get("out"), functools.partial(progress, console))
    verdict_table(console, verdict)
    if strict and (verdict.flags or not verdict.complete):
        sys.exit(3)


@click.command()
def selftest() -> None:
    """Prove on this machine that the checks of `eval` see planted faults, and only those."""
    from advkd.auditing.selftest import run, table

    found = run()
    table(Console(), found)
    if not all(row.as_expected for row in found):
        sys.exit(1)
