"""A new distribution with one name of one slot, filled in from templates.

A slot has a folder of templates: `facts.jinja` (what its card and tests say), the YAML file that uses the
member (a preset, where the member is part of a method; a setting, where it is part of what a method meets)
or is itself the name, and `member.py.jinja` unless the slot holds YAML files.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from advkd.errors import error
from advkd.registry import SLOTS, entries

TEMPLATES = Path(__file__).with_name("templates")
LONGEST = 24
"""Characters of a name: the lines it is written into stay short enough for every formatter."""


@dataclass(frozen=True)
class Plugin:
    """What is called how: `name` in the slot, everything else after it."""

    name: str
    plural: str

    @property
    def slot(self) -> str:
        """The slot, singular."""
        return SLOTS[self.plural]

    @property
    def distribution(self) -> str:
        """The distribution."""
        return f"advkd-{self.name}"

    @property
    def package(self) -> str:
        """Its package."""
        return self.distribution.replace("-", "_")

    @property
    def cls(self) -> str:
        """The class of the member; with the slot in it, no name hides one the module imports."""
        return "".join(part.capitalize() for part in (*self.name.split("-"), self.slot))

    @property
    def kind(self) -> str:
        """The slot, singular, of its YAML file."""
        (file,) = (TEMPLATES / self.slot).glob("*.yaml.jinja")
        return file.name.removesuffix(".yaml.jinja")


def write(name: str, plural: str, folder: Path) -> list[str]:
    """Writes the distribution into `folder`; returns the commands that check and run it.

    Raises `AdvkdError` when the name cannot be one, is taken, or the folder holds something.
    """
    plugin = Plugin(name, plural)
    _check_name(name)
    _check_free(plugin)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise error("out", "is there already", given=folder, remedy="choose another folder with --out")
    contents, commands = _rendered(plugin)
    try:
        _place(contents, folder.resolve())
    except OSError as cause:
        problem = f"cannot be written: {cause.strerror or cause}"
        raise error("out", problem, given=folder, remedy="choose another folder with --out") from cause
    return commands


def _place(contents: Mapping[str, str], folder: Path) -> None:
    """Whole or not at all; an empty folder that is there stays the same folder."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        new = Path(scratch, "new")
        for path, text in contents.items():
            new.joinpath(path).parent.mkdir(parents=True, exist_ok=True)
            new.joinpath(path).write_text(text, encoding="utf-8")
        if not folder.exists():
            new.replace(folder)
            return
        for part in new.iterdir():
            part.replace(folder / part.name)


def _check_name(name: str) -> None:
    remedy = f"lower-case words joined by dashes, {LONGEST} characters at most, like late-steps"
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name) or len(name) > LONGEST:
        raise error("name", "cannot name a distribution, a package and a member", given=name, remedy=remedy)
    if yaml.safe_load(name) != name:
        raise error("name", "means something else in YAML", given=name, remedy="pick another name")


def _check_free(plugin: Plugin) -> None:
    for plural in dict.fromkeys((plugin.plural, f"{plugin.kind}s")):
        for claim in entries(plural).get(plugin.name, ()):
            problem = f"the {SLOTS[plural]} {plugin.name} is taken by {claim.who}"
            raise error("name", problem, remedy="pick another name")
    if find_spec(plugin.package) is not None:
        raise error("name", f"a package {plugin.package} is installed", remedy="pick another name")


def _rendered(plugin: Plugin) -> tuple[dict[str, str], list[str]]:
    """Every file by its path in the distribution, and the commands that check and run it."""
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    slot, package, kind = plugin.slot, plugin.package, plugin.kind
    words = {
        **{key: getattr(plugin, key) for key in ("name", "plural", "slot", "distribution", "package", "cls")},
        "kind": kind,
        "version": metadata.version("advkd"),
        "member": (TEMPLATES / slot / "member.py.jinja").exists(),
    }
    words["facts"] = templates.get_template(f"{slot}/facts.jinja").make_module(words)
    words["use"] = use = templates.get_template("common/use.jinja").make_module(words)
    files = {
        "setup.cfg": "common/setup.cfg",
        "pyproject.toml": "common/pyproject.toml",
        "README.md": "common/README.md",
        f"{package}/__init__.py": "common/init.py",
        f"{package}/{plugin.name}.yaml": f"{slot}/{kind}.yaml",
        f"tests/test_{package}.py": "common/test.py",
    }
    if words["member"]:
        files[f"{package}/{slot}.py"] = f"{slot}/member.py"
    texts = {path: templates.get_template(f"{name}.jinja").render(words) for path, name in files.items()}
    return {**texts, f"{package}/py.typed": ""}, [str(vars(use)[key]) for key in ("check", "run")]
