"""The code of other packages that a run is made with: what has changed since is another method."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from advkd.config.run import Run
from advkd.fingerprints import file_fingerprint

OWN = {"advkd", "advkd_plugins", "torch", *sys.stdlib_module_names}
"""Packages whose versions are written down with every result."""


def code_of(run: Run) -> dict[str, str]:
    """A fingerprint of every package, or file of the user's, that has brought in a member of `run`."""
    found: dict[str, set[str]] = {}
    for member in _members([getattr(run, field.name) for field in fields(run)]):
        kind = member if inspect.isfunction(member) else type(member)
        package = kind.__module__.partition(".")[0]
        if package not in OWN:
            # what was typed into a notebook has no file
            with contextlib.suppress(TypeError, OSError):
                place = _root(Path(inspect.getfile(kind)), kind.__module__)
                found.setdefault(f"code of {place.name}", set()).add(_fingerprint(place))
    return {name: "+".join(sorted(found[name])) for name in sorted(found)}


def _root(file: Path, module: str) -> Path:
    """The folder of the top package that `module` lies in, or its `file`, if it lies in none."""
    depth = module.count(".") + (file.name == "__init__.py")
    return file.parents[depth - 1] if depth else file


def _fingerprint(place: Path) -> str:
    """A member may import the rest of its package, so that all of it counts."""
    if place.is_file():
        return file_fingerprint(place)
    each = [(str(file.relative_to(place)), file_fingerprint(file)) for file in sorted(place.rglob("*.py"))]
    return hashlib.sha256(repr(each).encode()).hexdigest()[:16]


def _members(node: Any) -> Iterator[Any]:
    if isinstance(node, Mapping):
        node = list(node.values())
    if isinstance(node, list | tuple):
        for one in node:
            yield from _members(one)
        return
    yield node
    if is_dataclass(node):
        yield from _members([getattr(node, field.name) for field in fields(node)])
