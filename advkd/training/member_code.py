"""What a run is made with besides its words: code of other packages, files, the recipe of its teacher."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import ModuleType
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
                found.setdefault(f"code of {place.name}", set()).add(_fingerprint(place, kind.__module__))
    return {name: "+".join(sorted(found[name])) for name in sorted(found)}


def _root(file: Path, module: str) -> Path:
    """The folder of the top package that `module` lies in, or its `file`, if it lies in none."""
    depth = module.count(".") + (file.name == "__init__.py")
    return file.parents[depth - 1] if depth else file


def _fingerprint(place: Path, module: str) -> str:
    """Of all that a member may import: the rest of its package, or what its file imports from beside it."""
    if place.is_file():
        files = {place}
        _reached(sys.modules[module], place.parent, files)
        if files == {place}:
            return file_fingerprint(place)
        place = place.parent
    else:
        files = {*place.rglob("*.py")}
    each = [(str(file.relative_to(place)), file_fingerprint(file)) for file in sorted(files)]
    return hashlib.sha256(repr(each).encode()).hexdigest()[:16]


def _reached(module: ModuleType, folder: Path, files: set[Path]) -> None:
    """Adds the files in `folder` that the names of a module come from, and those of these in turn."""
    for value in [*vars(module).values()]:
        name = value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", None)
        other = sys.modules.get(name) if isinstance(name, str) and name.partition(".")[0] not in OWN else None
        file = Path(getattr(other, "__file__", None) or "").absolute()
        # an environment may lie in the folder as well
        if other and file.is_relative_to(folder) and "site-packages" not in file.parts and file not in files:
            files.add(file)
            _reached(other, folder, files)


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
