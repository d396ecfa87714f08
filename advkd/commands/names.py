"""`advkd list` and `advkd show`."""

from __future__ import annotations

import gc

import click
from rich.console import Console

from advkd.commands.words import SETTINGS, own_words
from advkd.errors import error


@click.command(name="list")
@click.argument("slot", required=False)
@click.option("--check", is_flag=True, help="Import every member and show what is broken.")
def list_(slot: str | None, check: bool) -> None:
    """List every name: of all slots, or of one (attacks, presets, ...)."""
    from advkd.registry import SLOTS, slot_named
    from advkd.tables import names

    # some hundred thousand short-lived objects and then the end: collecting them is a tenth of the time
    gc.disable()
    if broken := names(Console(), [slot_named(slot)] if slot else list(SLOTS), check):
        raise error("list", f"{broken} broken", remedy="repair or uninstall what brings them")


@click.command(context_settings=SETTINGS)
@click.argument("words", nargs=-1)
def show(words: tuple[str, ...]) -> None:
    """Show a member (weighting boundary) or a resolved run (preset=rslad epochs=5)."""
    from advkd import tables
    from advkd.registry import find, slot_named, split_name

    _, words = own_words(words, ("load",))
    if words and "=" not in words[0]:
        slot = slot_named(words[0])
        if len(words) != 2:
            remedy = f"advkd list {slot} has the names; advkd check takes options too"
            raise error("show", "write a slot and a name", given=" ".join(words), remedy=remedy)
        tables.member(Console(), find(slot, split_name(words[1])[0]))
        return
    from advkd.config.resolve import resolve

    tables.resolved(Console(), resolve(*words))
