"""`advkd report`."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from advkd.commands.words import SETTINGS, own_words
from advkd.errors import AdvkdError, unknown


@click.command(context_settings=SETTINGS)
@click.argument("words", nargs=-1, metavar="RUN... [out=DIR]")
def report(words: tuple[str, ...]) -> None:
    """Draw the report of runs, audits and comparisons from their files.

    RUN is a run folder, an audit folder or a comparison folder; several are put side by side if their
    images, threat and attacks agree. Writes report.html, report.md and table.csv into out=DIR, else into
    the folder itself, or into report/ for several. Nothing is run.
    """
    own, folders = own_words(words, ("out",))
    strange = [word for word in folders if "=" in word and not Path(word).exists()]
    if strange:
        raise AdvkdError(unknown("word", "word", strange[0], ["out="], "all other words are folders"))
    from advkd import reporting

    page = reporting.report(folders, own.get("out"))
    Console().print(f"report: {page}", highlight=False, soft_wrap=True)
