"""Distributions that are installed for the length of a test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from advkd import registry
from advkd.registry.installed import installed


@contextmanager
def on_path(site: Path) -> Iterator[Path]:
    """What is installed in `site` counts; what is registered and imported meanwhile is forgotten."""
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(site))
        patch.setattr(registry, "_registered", {})
        _forget()
        yield site
    _forget()
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(site)):
            del sys.modules[name]


def distribution(
    site: Path, name: str, points: str, files: dict[str, str] | None = None, requires: str = ""
) -> None:
    """`name` 1.5 in the folder `site`, with the text of its entry points and its files by path."""
    info = site / f"{name}-1.5.dist-info"
    info.mkdir(parents=True)
    needs = f"Requires-Dist: {requires}\n" if requires else ""
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n{needs}")
    (info / "entry_points.txt").write_text(points)
    for path, text in (files or {}).items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(text)
    _forget()


def _forget() -> None:
    installed.cache_clear()
    registry._imported.cache_clear()
