"""Where a member is written and what it says of itself, read without importing it."""

from __future__ import annotations

import ast
import functools
import inspect
from dataclasses import dataclass
from importlib.util import find_spec, resolve_name
from pathlib import Path
from typing import Any

from advkd.registry import YAML_SLOTS
from advkd.registry.installed import Entry


@dataclass(frozen=True)
class Source:
    """File, line and text (docstring, or `about:` of a YAML file) of an entry."""

    file: Path | None
    line: int
    text: str

    @property
    def headline(self) -> str:
        """The first line of the text."""
        return self.text.strip().split("\n")[0]


def source_of(entry: Entry) -> Source:
    """The source of an entry; one that cannot be found says so in its text."""
    if entry.slot in YAML_SLOTS:
        return _of_yaml(entry)
    if entry.member is not None:
        return _of_object(entry.member)
    module, _, attribute = entry.target.partition(":")
    try:
        return _of_name(module, attribute.split(".")[0], ())
    except ImportError as cause:
        return Source(None, 0, f"cannot be found: {cause}")


def yaml_file(entry: Entry) -> Path | None:
    """The file `NAME.yaml` in the package of a preset or setting."""
    init = module_file(entry.target)
    file = init.parent / f"{entry.name}.yaml" if init else None
    return file if file and file.is_file() else None


def module_file(module: str) -> Path | None:
    """The file of a dotted module, found without importing its parents."""
    top, *rest = module.split(".")
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if not rest and spec.origin:
        return Path(spec.origin)
    for folder in spec.submodule_search_locations or []:
        base = Path(folder).joinpath(*rest)
        for file in (base.with_suffix(".py"), base / "__init__.py"):
            if file.is_file():
                return file
    return None


def _of_name(module: str, name: str, seen: tuple[str, ...]) -> Source:
    """Where `name` of a module is defined, through the modules that only pass it on."""
    file = module_file(module)
    if file is None:
        return Source(None, 0, f"module {module} is not there")
    try:
        tree = _parsed(file.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError) as cause:
        return Source(file, 1, f"cannot be read: {cause}")
    for node in tree.body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and node.name == name:
            return Source(file, node.lineno, ast.get_docstring(node) or "")
        passed = [a.name for a in getattr(node, "names", ()) if name == (a.asname or a.name)]
        if isinstance(node, ast.ImportFrom) and passed and module not in seen:
            package = module if file.stem == "__init__" else module.rpartition(".")[0]
            there = resolve_name("." * node.level + (node.module or ""), package)
            return _of_name(there, passed[0], (*seen, module))
    if not name:
        return Source(file, 1, f"names no class: write {module}:CLASS")
    # made in another way, by an assignment or inside a block: there, but only an import would show it
    return Source(file, 1, "" if _bound(tree, name) else f"{name} is not in {module}")


def _bound(tree: ast.Module, name: str) -> bool:
    """Whether a module could hold `name` otherwise: assigned, made in a block, or by a star."""
    return any(
        node.name == "*"
        if isinstance(node, ast.alias)
        else name in (getattr(node, "name", None), getattr(node, "id", None))
        for node in ast.walk(tree)
    )


@functools.lru_cache(maxsize=32)
def _parsed(text: str) -> ast.Module:
    """The tree of a module; members that share one are listed one after the other."""
    return ast.parse(text)


def _of_object(member: Any) -> Source:
    text = inspect.getdoc(member) or ""
    try:
        return Source(Path(inspect.getfile(member)), inspect.getsourcelines(member)[1], text)
    except (OSError, TypeError):
        # typed into a prompt
        return Source(None, 0, text)


def _of_yaml(entry: Entry) -> Source:
    import yaml

    file = yaml_file(entry)
    if file is None:
        return Source(None, 0, f"{entry.name}.yaml is not in {entry.target}")
    try:
        # `list` opens every file: by the reader in C, where there is one
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        content = yaml.load(file.read_text(encoding="utf-8"), Loader=loader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as cause:
        return Source(file, 1, f"cannot be read: {cause}")
    about = content.get("about", "") if isinstance(content, dict) else ""
    return Source(file, 1, str(about))
