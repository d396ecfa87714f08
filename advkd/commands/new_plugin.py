"""`advkd new-plugin`."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console


@click.command(name="new-plugin")
@click.argument("name")
@click.option("--slot", required=True, help="What it is: weighting, loss, model, preset, ...")
@click.option("--out", type=click.Path(path_type=Path), help="The folder it is written into, NAME if absent.")
def new_plugin(name: str, slot: str, out: Path | None) -> None:
    """Write the distribution advkd-NAME: a plugin that installs, passes its tests and runs.

    It holds the member, a preset or setting that uses it, a test of its contract, and the skeleton of its
    card. Change the member into your idea; docs/plugins.md goes through it.
    """
    import shlex

    from advkd.files import expanded
    from advkd.registry import slot_named
    from advkd.scaffold.write import write

    plural, folder = slot_named(slot), expanded(out or name)
    shown = (f"advkd list {plural}", *write(name, plural, folder))
    install = f"python -m pip install -e {shlex.quote(f'{folder}[test]')}"
    lines = (install, *shown, f"python -m pytest {shlex.quote(str(folder))}")
    Console().print(
        f"{folder} holds advkd-{name}; go on with", *lines, sep="\n  ", highlight=False, markup=False
    )
