"""The numbers that are printed follow from the bits that are kept."""

import importlib.util
import json
from pathlib import Path

import pytest

from advkd.statistics.methods import methods

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "docs" / "numbers").glob("*.json"))
PAGE = (ROOT / "docs" / "numbers.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def keep():
    spec = importlib.util.spec_from_file_location("keep", ROOT / "benchmarks" / "numbers" / "keep.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_are_some():
    assert FILES


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_table_follows_from_the_bits(keep, file):
    for row in keep.table(file.stem):
        assert f"{row}\n" in PAGE


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_verdicts_follow_from_the_bits(keep, file):
    about = json.loads(file.read_text())
    robust = keep.bits(file.stem, "robust")
    assert {len(row) for of in robust.values() for row in of.values()} == {about["n"]}
    found = methods(robust, family="robust accuracy of the methods")
    assert json.loads(json.dumps([verdict.about for verdict in found])) == about["methods"]
    assert f"    {about['command']}" in PAGE
