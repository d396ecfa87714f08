"""Laying one configuration over another, and the YAML files of presets, settings and suites."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from advkd.config.values import LOADER, keyed, misread
from advkd.errors import AdvkdError, Problem, error, nearest
from advkd.files import expanded
from advkd.registry import SLOTS, find
from advkd.registry.sources import yaml_file

Raw = dict[str, Any]
YAML = (".yaml", ".yml")
REPAIR = "repair the file, or name another"


def over(base: Raw, layer: Raw) -> Raw:
    """`layer` laid over `base`: swapping a component drops the options of the old one."""
    base = copy.deepcopy(base)
    layer = _aligned(base, copy.deepcopy(layer))
    merged = OmegaConf.merge(OmegaConf.create(base), OmegaConf.create(layer))
    return OmegaConf.to_container(merged, resolve=False)  # type: ignore[return-value]


def _aligned(base: Raw, layer: Raw) -> Raw:
    """Brings names and mappings of both sides to one form, and removes from `base` what is swapped out."""
    for key, new in layer.items():
        old = base.get(key)
        if isinstance(old, str) and isinstance(new, dict) and "use" not in new:
            base[key] = old = {"use": old}
        elif isinstance(old, dict) and "use" in old and isinstance(new, str):
            layer[key] = new = {"use": new}
        if {type(old), type(new)} == {dict, list}:
            del base[key]
        if isinstance(old, dict) and isinstance(new, dict):
            if "use" in new and new["use"] != old.get("use"):
                del base[key]
            else:
                _aligned(old, new)
    return layer


def nested(key: tuple[str, ...], value: Any) -> Raw:
    """`value` at the path `key`, which has at least one name."""
    *outer, last = key
    found: Raw = {last: value}
    for name in reversed(outer):
        found = {name: found}
    return found


def named(slot: str, name: str) -> Raw:
    """The content of a preset or setting, by registered name or by path of a YAML file.

    `extends: NAME`, or a file beside this one, is laid under it; `about` and `extends` are taken out.
    """
    return _read(slot, name, ())


def _read(slot: str, name: str, chain: tuple[str, ...]) -> Raw:
    place = SLOTS[slot]
    if name in chain:
        raise error(place, "extends itself", given=" -> ".join((*chain, name)))
    file, *told = _file_of(slot, name, f"{place} {chain[-1]}.extends" if chain else "")
    content = load_yaml(file, *told)
    content.pop("about", None)
    base = content.pop("extends", None)
    if "drop" in content:
        remedy = "write null where it stands, as in `targeted: null`"
        raise error(f"{place} {name}", "drop is a command-line word, not a key here", remedy=remedy)
    if base is not None and not isinstance(base, str):
        remedy = f"write the name of one {place}"
        raise error(f"{place} {name}", "extends one other by name", given=base, remedy=remedy)
    if base is not None and base.endswith(YAML):
        base = os.path.normpath(file.parent / base)
    return over(_read(slot, base, (*chain, name)), content) if base else content


def spelled(name: str) -> str:
    """A name as it is, the path of a file without detours: the hash and the teacher of a run hang on it."""
    return os.path.normpath(name) if name.endswith(YAML) else name


def content_of(slot: str, name: str, place: str = "") -> Raw:
    """The whole content of a YAML file, by registered name or by path; what it extends is not.

    `place` is where the name was written, if that is not a word.
    """
    return load_yaml(*_file_of(slot, name, place))


def _file_of(slot: str, name: str, place: str) -> tuple[Path, str, str]:
    """The file of a preset, setting or suite, with the place and the remedy that its errors tell."""
    if name.endswith(YAML):
        return expanded(name), place or f"{SLOTS[slot]} {name}", REPAIR
    entry = find(slot, name, place)
    place, file = f"{SLOTS[slot]} {name} of {entry.who}", yaml_file(entry)
    if file is None:
        remedy = f"name the package alone: {name} = PACKAGE" if ":" in entry.target else entry.remedy
        raise error(place, f"{name}.yaml is not in {entry.target}", remedy=remedy)
    return file, place, entry.remedy


def load_yaml(file: Path, place: str, remedy: str = REPAIR) -> Raw:
    """A YAML file whose top level is a mapping."""
    try:
        content = OmegaConf.to_container(OmegaConf.load(file), resolve=False)
        others = misread(yaml.compose(file.read_text(encoding="utf-8"), LOADER))
    except OSError as cause:
        beside = file.parent.glob(f"*{file.suffix}") if isinstance(cause, FileNotFoundError) else ()
        problem = f"cannot be read: {cause.strerror}"
        close = nearest(file.name, [other.name for other in beside])
        raise AdvkdError(
            Problem(place=place, problem=problem, given=str(file), nearest=close, remedy=remedy)
        ) from None
    except (YAMLError, OmegaConfBaseException, UnicodeDecodeError) as cause:
        raise error(place, f"is not YAML: {cause}", given=file, remedy=remedy) from None
    if not isinstance(content, dict):
        raise error(place, "must hold a mapping of options", given=file, remedy=remedy)
    for node, read in others:
        problem, line = f"YAML reads {node.value} as {read}", f"line {node.start_mark.line + 1}"
        remedy = "write the value; a number without leading zeros or colons, other text in quotes"
        raise error(place, problem, given=f"{file}, {line}", remedy=remedy)
    found: Raw = keyed(content)
    return found


def yaml_text(values: Raw) -> str:
    """What `load_yaml` reads back as `values`.

    PyYAML leaves a hash such as `7e501234` without quotes, and OmegaConf reads a number there.
    """
    return OmegaConf.to_yaml(OmegaConf.create(values))
