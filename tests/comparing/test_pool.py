"""Processes that make cells: one that dies costs its own cell and no other."""

import json
from pathlib import Path

from click.testing import CliRunner
from compare_parts import SMALL

from advkd.cli import main

FAULTY = Path(__file__).parent / "faulty.py"
TERM = "method.branches.untargeted.terms.clean.loss"


def test_a_process_that_is_killed_costs_its_cell_alone(tmp_path):
    words = (
        "presets=bad:trades,pgd-at,mart",
        f"bad.{TERM}=killing",
        "seeds=0",
        *SMALL,
        "epochs=1",
        "jobs=2",
        f"load={FAULTY}",
        f"out={tmp_path / 'it'}",
    )
    result = CliRunner().invoke(main, ["compare", *words])
    assert result.exit_code == 1, result.output
    rows = json.loads((tmp_path / "it" / "result.json").read_text())["rows"]
    assert [row["state"] for row in rows] == ["failed", "done", "done"]
    assert "its process has died" in rows[0]["error"]
