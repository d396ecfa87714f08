"""Processes that make cells: one that dies costs its own cell and no other."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from compare_parts import SMALL

import advkd
from advkd.cli import main
from advkd.comparing import open as door
from advkd.comparing import pool
from advkd.comparing.cell import Judge
from advkd.comparing.plan import planned
from advkd.comparing.request import parsed

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


def test_python_makes_one_cell_at_a_time_unless_it_is_told_otherwise(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(door, "compared", lambda plan, *of: asked.append(plan.request.jobs))
    for more in ((), ("jobs=2",), ("jobs=auto",)):
        advkd.compare("presets=pgd-at,trades", *more)
    assert asked == [1, 2, None]
    assert parsed(["presets=pgd-at,trades"]).jobs is None


def test_python_takes_the_file_that_registers_members(tmp_path, monkeypatch):
    file = tmp_path / "mine.py"
    file.write_text("raise ValueError('planted')")
    with pytest.raises(advkd.AdvkdError, match="load: ValueError: planted"):
        advkd.compare("presets=pgd-at,trades", load=file)
    file.write_text("")
    plans = []
    monkeypatch.setattr(door, "compared", lambda plan, *of: plans.append(plan))
    advkd.compare("presets=pgd-at,trades", load=file)
    assert plans[0].request.load == file


def test_a_member_that_no_other_process_can_have_fails_its_cell_with_what_to_do(tmp_path):
    @dataclass(frozen=True)
    class Local:
        kind = "label"

    plan = planned(parsed(["presets=pgd-at,trades", "seeds=0", *SMALL]))
    found = {}
    work = {index: (cell, tmp_path / cell.label) for index, cell in enumerate(plan.cells)}
    object.__setattr__(work[0][0].run, "method", Local())
    object.__setattr__(work[1][0].run, "method", Local())
    judge = Judge(suite="compare", part="test")
    pool.parallel(work, judge, 2, None, lambda index, cell, made: found.update({index: made}))
    assert {index: made.folder.name for index, made in found.items()} == {0: "pgd-at", 1: "trades"}
    for made in found.values():
        assert "Local" in made.error
        assert "load=FILE.py, or jobs=1" in made.error


def test_a_script_without_a_main_guard_is_told_so(tmp_path):
    script = tmp_path / "script.py"
    words = ("presets=pgd-at,trades", "seeds=0", "jobs=2", *SMALL)
    call = f"advkd.compare(*{words}, out={str(tmp_path / 'it')!r})"
    script.write_text(f"import advkd\nprint(*{call}.failed)\n")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout.count('if __name__ == "__main__"') == 2


@pytest.mark.parametrize(
    ("named", "device", "gpus"), [("", "auto", "012"), ("5,7", "cuda", "575"), ("", "cuda:1", ["", "", ""])]
)
def test_processes_share_the_gpus(named, device, gpus, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    told = []

    class Noting:
        def __init__(self, count, context, ready, terms):
            told.append(terms[-1])

        def shutdown(self, **how):
            pass

    monkeypatch.setattr(pool, "ProcessPoolExecutor", Noting)
    plan = planned(parsed(["presets=pgd-at,trades", "seeds=0", f"device={device}", *SMALL]))
    work = {0: (plan.cells[0], tmp_path)}
    with pytest.raises(AttributeError, match="submit"):
        pool.parallel(work, Judge(suite="compare", part="test"), 3, None, print)
    assert told == list(gpus)
