"""The numbers that are printed follow from the bits that are kept."""

import importlib
import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from advkd.reporting.gather import compared as rows_of
from advkd.statistics.methods import methods

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "docs" / "numbers").glob("*.json"))
LINES = (ROOT / "docs" / "numbers.md").read_text(encoding="utf-8").splitlines()


@pytest.fixture
def keep(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks" / "numbers")
    return importlib.import_module("keep")


@pytest.fixture
def engines(keep):
    return importlib.import_module("engines")


def test_there_are_some():
    assert FILES


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_table_follows_from_the_bits(keep, file):
    about = json.loads(file.read_text())
    heads, _, *rows = keep.table(file.stem)
    found_heads, _, *found = table_below(f"    {about['command']}")
    assert (found_heads, found) == (heads, rows)


def table_below(command, lines=LINES):
    """The first table after the line of a command, in the same section."""
    after = lines[lines.index(command) + 1 :]
    section = itertools.takewhile(lambda line: not line.startswith("#"), after)
    rest = itertools.dropwhile(lambda line: not line.startswith("|"), section)
    return list(itertools.takewhile(lambda line: line.startswith("|"), rest))


@pytest.mark.parametrize(
    "names",
    [
        ("engine-digits-bf16", "engine-digits-float32"),
        ("fashion-mnist-three-seeds", "engine-fashion-mnist-float32"),
    ],
)
def test_the_table_of_engines_follows_from_the_bits(engines, names):
    lines = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8").splitlines()
    command = f"    python benchmarks/numbers/engines.py {names[0]} {names[1]}"
    assert table_below(command, lines) == engines.table(*names)


@pytest.mark.parametrize("label", ["a|b", "a"])
def test_what_is_kept_is_whole_and_comes_back(keep, compared, tmp_path, monkeypatch, label):
    monkeypatch.setattr(keep, "FOLDER", tmp_path / "numbers")
    folder = shutil.copytree(compared, tmp_path / "copy")
    about = json.loads((folder / "result.json").read_text())
    about |= {"tflop": {}}
    about["rows"] = [
        {**row, "name": label if row["name"] == "rslad" else row["name"]} for row in about["rows"]
    ]
    (folder / "result.json").write_text(json.dumps(about))
    keep.keep(folder, "mine")
    assert {file.name for file in keep.FOLDER.iterdir()} == {"mine.json", "mine.npz"}
    kept = json.loads((keep.FOLDER / "mine.json").read_text())
    assert kept["failed"] == ["broken, seed 0: the loss is no longer finite"]
    assert kept["methods"] == [one for one in about["methods"] if one["p"] is not None]
    found = keep.bits("mine", "robust")
    assert found.keys() == {"path-dual", label}
    for row in rows_of(folder, about):
        assert row.judged is None or np.array_equal(found[row.name][row.seed], row.judged.survivors)
    shown = label.replace("|", "\\|")
    assert any(line.startswith(f"| {shown} | ") for line in keep.table("mine"))


def test_a_failure_leaves_what_was_kept(keep, compared, tmp_path, monkeypatch):
    monkeypatch.setattr(keep, "FOLDER", tmp_path)
    about = {**json.loads((compared / "result.json").read_text()), "tflop": {}}
    folder = shutil.copytree(compared, tmp_path / "copy")
    (folder / "result.json").write_text(json.dumps(about))
    keep.keep(folder, "mine")
    before = (tmp_path / "mine.npz").read_bytes()
    older = {key: value for key, value in about.items() if key != "tflop"} | {"rows": about["rows"][:2]}
    (folder / "result.json").write_text(json.dumps(older))
    with pytest.raises(KeyError):
        keep.keep(folder, "mine")
    assert (tmp_path / "mine.npz").read_bytes() == before

    def cut(file, **arrays):
        target = file if hasattr(file, "write") else file.open("wb")
        target.write(b"PK")
        raise OSError("no room")

    (folder / "result.json").write_text(json.dumps(about))
    monkeypatch.setattr(np, "savez_compressed", cut)
    with pytest.raises(OSError, match="no room"):
        keep.keep(folder, "mine")
    assert (tmp_path / "mine.npz").read_bytes() == before


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_verdicts_follow_from_the_bits(keep, file):
    about = json.loads(file.read_text())
    robust = keep.bits(file.stem, "robust")
    assert {len(row) for of in robust.values() for row in of.values()} == {about["n"]}
    found = methods(robust, family="robust accuracy of the methods")
    tested = [verdict.about for verdict in found if verdict.p is not None]
    assert json.loads(json.dumps(tested)) == about["methods"]
    assert f"    {about['command']}" in LINES
