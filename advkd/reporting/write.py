"""Writing a report: `report.html`, `report.md`, `table.csv`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from advkd.errors import AdvkdError
from advkd.files import expanded, write_bytes
from advkd.reporting.gather import gathered, run_of
from advkd.reporting.markdown import markdown
from advkd.reporting.page import html
from advkd.reporting.stored import read
from advkd.reporting.table import csv_text
from advkd.training.folder import RESULT, created

log = logging.getLogger("advkd")

PAGE, TEXT, TABLE = "report.html", "report.md", "table.csv"


def report(folders: str | Path | Sequence[str | Path], out: str | Path | None = None) -> Path:
    """Writes the report of run, audit and comparison folders from what is in them; runs nothing.

    Into `out`, else into the folder itself where there is one, else into `report/`. Gives the path of
    the page. Raises `AdvkdError` for folders that hold nothing to report, or that may not be compared.
    """
    given = [folders] if isinstance(folders, (str, Path)) else folders
    paths = [expanded(folder) for folder in given]
    material = gathered(paths)
    folder = created(expanded(out) if out else paths[0] if len(paths) == 1 else Path("report"))
    for name, text in ((TABLE, csv_text(material)), (TEXT, markdown(material)), (PAGE, html(material))):
        write_bytes(folder / name, text.encode())
    return folder / PAGE


def report_audit(folder: Path) -> None:
    """Writes the report of an audit, and renews that of the run whose folder it lies in."""
    report(folder)
    run = run_of(folder)
    # an audit of its teacher alone is nothing to the page of a run
    if run is not None and read(folder / RESULT).get("judged") == "student":
        try:
            report(run)
        except AdvkdError as cause:
            # the audit stands whatever has become of its run
            log.warning("the report of the run is as it was: %s", cause.problems[0])
