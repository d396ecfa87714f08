"""What a run is made with besides its words: code of other packages, files, the recipe of its teacher."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from advkd.config.resolve import teacher_run
from advkd.config.run import Run
from advkd.fingerprints import file_fingerprint
from advkd.models.file import file_of
from advkd.models.trained import Trained

OWN = {"advkd", "advkd_plugins", "torch", *sys.stdlib_module_names}
"""Packages whose versions are written down with every result."""


def code_of(run: Run) -> dict[str, str]:
    """Fingerprints of what a run is made with, by what it is: with any other it would be another run.

    Every package, or file of the user's, that has brought in a member; the files that student and teacher
    come from; the recipe of a teacher that is trained, whose preset may be a file.
    """
    found = {"student": file_of(run.student)}
    found |= {"teacher": file_of(run.teacher)} if "teacher" in run.nets else {}
    files = {what: file_fingerprint(file.place) for what, file in found.items() if file is not None}
    recipe = teacher_run(run) if "teacher" in run.nets and isinstance(run.teacher, Trained) else None
    taught = {} if recipe is None else {"recipe of the teacher": recipe.hash, **_of_run(recipe)}
    return {**taught, **_of_run(run), **files}


def _of_run(run: Run) -> dict[str, str]:
    return code_of_members([getattr(run, field.name) for field in fields(run)])


def code_of_members(members: Sequence[Any]) -> dict[str, str]:
    """Fingerprints of the packages, or files of the user's, that members and their parts come from."""
    found: dict[str, set[str]] = {}
    for member in _members(members):
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
    """Of all that a member may import: the rest of its package, or what its file imports from beside it."""
    files = {*place.rglob("*.py")} if place.is_dir() else _reached(place, place.parent, set())
    if files == {place}:
        return file_fingerprint(place)
    base = place if place.is_dir() else place.parent
    each = [(str(file.relative_to(base)), file_fingerprint(file)) for file in sorted(files)]
    return hashlib.sha256(repr(each).encode()).hexdigest()[:16]


def _reached(file: Path, folder: Path, files: set[Path]) -> set[Path]:
    """Adds a file to `files`, and those in `folder` that it imports by name, and what these import."""
    files.add(file)
    with contextlib.suppress(SyntaxError):
        for node in ast.walk(ast.parse(file.read_bytes())):
            for stem in _imports(node, file, folder):
                for other in (stem.with_name(f"{stem.name}.py"), stem / "__init__.py"):
                    if other not in files and other.is_file():
                        _reached(other, folder, files)
    return files


def _imports(node: ast.AST, file: Path, folder: Path) -> Iterator[Path]:
    """Where the modules of an import would lie, without their suffix."""
    if isinstance(node, ast.Import):
        yield from (folder.joinpath(*one.name.split(".")) for one in node.names)
    if isinstance(node, ast.ImportFrom):
        base = file.parents[node.level - 1] if node.level else folder
        stem = base.joinpath(*node.module.split(".")) if node.module else base
        yield from (stem, *(stem / one.name for one in node.names))


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
