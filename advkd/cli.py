"""The command line: `advkd`, and how it fails."""

from __future__ import annotations

import logging
import sys
import traceback
from importlib import metadata
from typing import Any, NoReturn

import click
from rich.console import Console

from advkd.commands import audit, check, compare, names, new_plugin, report
from advkd.commands import run as run_command
from advkd.errors import AdvkdError, Interrupted, error

err = Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)


class _Commands(click.Group):
    """Turns errors a user can repair into one message and exit status 2."""

    def invoke(self, ctx: click.Context) -> Any:
        words = list(ctx.args)
        try:
            return super().invoke(ctx)
        except AdvkdError as cause:
            if ctx.params.get("debug"):
                traceback.print_exc()
            _failed(cause)
        except Interrupted as stop:
            command = ctx.invoked_subcommand
            again = "the same command"
            if command not in ("eval", "compare"):
                load = [word for word in words if word.startswith("load=")]
                again = " ".join(["advkd run", *load, f"resume={stop.folder}"])
            err.print(f"\nstopped; go on with: {again}", markup=False)
            sys.exit(130)
        except Exception as cause:
            from advkd.registry.blame import blamed

            told = None if ctx.params.get("debug") else blamed(cause) or _of_file(cause)
            if told is None:
                raise
            _failed(told)


def _of_file(cause: Exception) -> AdvkdError | None:
    """The error of a file or folder that nothing nearer to it has explained."""
    if not isinstance(cause, OSError) or cause.filename is None or cause.errno is None:
        return None
    remedy = "choose another path, or make this one readable; advkd --debug shows the traceback"
    return error("path", cause.strerror or str(cause), given=cause.filename, remedy=remedy)


def _failed(cause: AdvkdError) -> NoReturn:
    err.print(str(cause), style="red" if err.is_terminal else "", markup=False)
    sys.exit(2)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(metadata.version("advkd"), prog_name="advkd")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(debug: bool) -> None:
    """Small robust students from large robust teachers, compared honestly.

    Words are key=value: advkd run preset=path-dual setting=digits epochs=5
    """
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("note: %(message)s"))
    log = logging.getLogger("advkd")
    log.handlers = [handler]
    log.setLevel(logging.DEBUG if debug else logging.INFO)


for command in (
    run_command.run,
    audit.eval_,
    compare.compare,
    report.report,
    audit.selftest,
    check.check,
    names.list_,
    names.show,
    new_plugin.new_plugin,
):
    main.add_command(command)
