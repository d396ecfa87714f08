"""`advkd run`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.console import Console

from advkd.commands.words import SETTINGS, own_words
from advkd.errors import error

if TYPE_CHECKING:
    from advkd.protocols import Reporter
    from advkd.result import Result


@click.command(context_settings=SETTINGS)
@click.argument("words", nargs=-1)
def run(words: tuple[str, ...]) -> None:
    """Train a student, evaluate it, leave a run folder.

    preset=NAME says what is learned, setting=NAME on what (digits if absent); any key of `advkd show`
    changes it: epochs=5, student.width=16, method.branches.untargeted.attack.steps=20. Further words:
    out=DIR, seed=N, device=auto, load=FILE.py (registers members first), resume=DIR (goes on).
    """
    own, words = own_words(words)
    from advkd.reporters.console import Console as Progress
    from advkd.tables import results

    progress = Progress()
    try:
        result = _ran(own, words, progress)
    finally:
        progress.close()
    results(Console(), result)
    from advkd.reporting import report as written

    assert result.folder is not None
    said = (
        f"report: {written(result.folder)}" if result.attacks else f"judge it by: advkd eval {result.folder}"
    )
    Console().print(said, highlight=False, soft_wrap=True)


def _ran(own: dict[str, str], words: tuple[str, ...], progress: Reporter) -> Result:
    from advkd import api

    if "resume" not in own:
        return api.train(api.resolve(*words), out=own.get("out"), reporters=[progress])
    if words or "out" in own:
        raise error("resume", "takes no other words", given=" ".join(words), remedy="the folder says it all")
    return api.resume(own["resume"], reporters=[progress])
