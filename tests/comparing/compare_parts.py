"""The smallest comparison there is, and what it leaves."""

import csv
import json
from pathlib import Path

from click.testing import CliRunner
from parts import TINY

from advkd.cli import main

SUITE = Path(__file__).parent / "tiny.yaml"
SMALL = (*(word for word in TINY if "evaluation" not in word), "epochs=2", f"suite={SUITE}")
WORDS = ("presets=path-dual,rslad", "seeds=0,1", *SMALL)
TIMES = ("seconds", "train_seconds", "warm_up_seconds", "images_per_second", "peak_memory_mb")


def command(*words: str) -> tuple[int, str]:
    """Status and output of `advkd compare`."""
    result = CliRunner().invoke(main, ["compare", *words])
    return result.exit_code, result.output


def table(folder: Path) -> list[dict[str, str]]:
    """The rows of `table.csv` without what depends on the clock."""
    with (folder / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    return [{key: value for key, value in row.items() if key not in TIMES} for row in rows]


def changes(cells: Path) -> dict[str, int]:
    """When each file of finished work was written; only a result ends a training or an audit."""
    files = [result.with_name("student.safetensors") for result in cells.glob("*/result.json")]
    files += [result.with_name("examples.npz") for result in cells.glob("*/eval/*/result.json")]
    return {str(file.relative_to(cells)): file.stat().st_mtime_ns for file in files}


def audit_of(comparison: Path, index: int = 0) -> Path:
    return comparison / json.loads((comparison / "result.json").read_text())["rows"][index]["audit"]
