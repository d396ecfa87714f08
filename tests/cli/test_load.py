"""Members of a file that is named with load=."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner
from command import advkd
from parts import TINY

from advkd.cli import main
from advkd.errors import Interrupted

MINE = """
import dataclasses, advkd

@advkd.register("weightings", "second-half")
@dataclasses.dataclass(frozen=True, kw_only=True)
class SecondHalf:
    "Points of the second half of the path."

    def __call__(self, view, step):
        ones = view.path.x.new_ones(view.path.x.shape[:2])
        ones[: len(ones) // 2] = 0
        return ones
"""


def test_load_registers_what_a_file_defines(tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    words = ("load=mine.py", "preset=path-dual", *TINY, "epochs=1", "out=x")
    word = "method.branches.untargeted.terms.path.weight=second-half"
    done = advkd("run", *words, word, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "use: second-half" in (tmp_path / "x" / "run.yaml").read_text()
    shown = advkd("show", "load=mine.py", "weighting", "second-half", folder=tmp_path)
    assert "mine.py:" in shown.stdout
    assert "second half of the path" in shown.stdout


HALF = """import advkd

@advkd.register("weightings", "half")
class Half:
    def __call__(self, view): ...
"""


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (None, r"load: no such file\n *given .*/bad\.py\n *do .*FILE\.py"),
        ("x = 1\n1 / 0\n", r"load: ZeroDivisionError: .*\n *given .*bad\.py:2\n *do .*repair the file"),
        ("x = 1\ndef f(:\n", r"load: SyntaxError: .*\n *given .*bad\.py:2\n"),
        ("import sys\n\nsys.exit(0)\n", r"load: SystemExit: 0\n *given .*bad\.py:3\n"),
        (
            HALF,
            r"(?s)weighting half: does not fit the contract.*__call__\(self, view\).*the contract is",
        ),
        (HALF.replace('"half"', '"end"'), "register weightings: end is taken by advkd"),
    ],
)
def test_load_of_a_bad_file(code, says, tmp_path):
    if code:
        (tmp_path / "bad.py").write_text(code)
    done = advkd("run", "load=bad.py", "preset=standard", folder=tmp_path)
    assert done.returncode == 2
    assert re.search(says, done.stderr), done.stderr
    assert "Traceback" not in done.stderr


def test_load_of_a_file_that_registers_nothing_says_so(tmp_path):
    (tmp_path / "mine.py").write_text("class Late:\n    pass\n")
    done = advkd("show", "load=./mine.py", "preset=standard", folder=tmp_path)
    assert done.returncode == 0
    assert "note: load: mine.py registers nothing" in done.stderr
    (tmp_path / "mine.py").write_text(MINE)
    assert "registers nothing" not in advkd("show", "load=mine.py", "preset=standard", folder=tmp_path).stderr


def test_a_run_that_is_stopped_says_how_to_go_on_with_what_it_loaded(tmp_path, monkeypatch):
    def stopped(*_, **__):
        raise Interrupted(tmp_path / "it")

    (tmp_path / "mine.py").write_text("")
    monkeypatch.setattr("advkd.api.train", stopped)
    words = ["run", "preset=rslad", f"load={tmp_path / 'mine.py'}"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 130
    assert f"advkd run load={tmp_path / 'mine.py'} resume={tmp_path / 'it'}" in done.output
