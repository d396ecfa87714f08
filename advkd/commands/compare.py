"""`advkd compare`."""

from __future__ import annotations

import sys

import click
from rich.console import Console

from advkd.commands.words import SETTINGS, own_words
from advkd.errors import AdvkdError, unknown

WORDS = ("out", "load", "dry")


@click.command(context_settings=SETTINGS)
@click.argument("words", nargs=-1)
def compare(words: tuple[str, ...]) -> None:
    """Train several methods in one setting and say whether their differences are real.

    presets=path-dual,rslad,LABEL:ard seeds=0,1,2 setting=NAME, any key=value for all, LABEL.key=value
    for one. Or preset=NAME vary=KEY:VALUE,VALUE (several are a grid; KEY+KEY move together), on
    validation images unless on=test. equal=epochs|compute (compute: as much as the first entrant),
    suite=NAME limit=N (how students are judged), allow=differences, jobs=auto|N, dry=true (predict only),
    out=DIR, load=FILE.py. The same command goes on where it was stopped.
    """
    own, words = own_words(words, WORDS)
    from functools import partial

    from advkd.comparing import tables
    from advkd.comparing.estimate import estimates
    from advkd.comparing.open import CELLS, compared, folder_of, unfinished
    from advkd.comparing.plan import planned
    from advkd.comparing.request import parsed

    console = Console()
    dry = own.get("dry", "false")
    if dry not in ("true", "false"):
        raise AdvkdError(unknown("dry", "value", dry, ("true", "false"), "write dry=true"))
    plan = planned(parsed(words, own.get("load")))
    tables.terms(console, plan)
    if dry == "true":
        cells = folder_of(plan, own.get("out")).parent / CELLS
        tables.predicted(console, plan, estimates(plan.runs), unfinished(plan, cells))
        return
    comparison = compared(plan, own.get("out"), partial(tables.ended, console, plan))
    tables.concluded(console, comparison)
    if comparison.failed:
        sys.exit(1)
