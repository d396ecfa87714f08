"""Distributions that are installed as far as metadata and files go."""

from __future__ import annotations

from pathlib import Path

from advkd.installed import installed


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
    installed.cache_clear()
