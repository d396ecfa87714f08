"""One comparison for all tests of this folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from compare_parts import WORDS

import advkd


@pytest.fixture(scope="session")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("comparisons")


@pytest.fixture
def done(place) -> Path:
    """One comparison for all tests that only look at it; what is there is not made again."""
    advkd.compare(*WORDS, out=place / "done")
    return place / "done"


@pytest.fixture
def copy(done, tmp_path) -> Path:
    """The same comparison, to be damaged."""
    shutil.copytree(done.parent, tmp_path / "copied")
    return tmp_path / "copied" / done.name
