"""A comparison and a run of it, to be spoilt."""

from __future__ import annotations

import shutil

import pytest


@pytest.fixture
def copy(compared, tmp_path):
    """A comparison of two methods, to be spoilt."""
    return shutil.copytree(compared, tmp_path / "parent" / "copy")


@pytest.fixture
def cell(copy):
    return min((copy / "cells").iterdir())
