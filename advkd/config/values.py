"""Values of options: how they are read, and how they are written."""

from __future__ import annotations

import dataclasses
import json
import re
import types
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import PurePath
from typing import Annotated, Any, Union, get_args, get_origin

import yaml

from advkd.types import Real

UNIONS = (Union, types.UnionType)

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The reader in C, where there is one."""

OTHERWISE = re.compile(r"[-+]?0[0-7_]+|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")
"""Numbers of YAML in eights (010 is 8) and in sixties (1:30 is 90)."""


def keyed(value: Any) -> Any:
    """A value of YAML with every key as text: `20` names an entry as well as `pgd-20` does."""
    if isinstance(value, dict):
        return {str(key): keyed(inner) for key, inner in value.items()}
    return [keyed(inner) for inner in value] if isinstance(value, list) else value


def misread(node: yaml.Node | None) -> Iterator[tuple[yaml.ScalarNode, str]]:
    """The scalars of a YAML document that are read as something else than is written, and as what."""
    if isinstance(node, yaml.ScalarNode):
        if node.value == "???":
            yield node, "a value that is missing"
        elif not node.style and OTHERWISE.fullmatch(node.value):
            read = yaml.safe_load(node.value)
            if isinstance(read, int | float):
                yield node, str(read)
    elif node is not None:
        for child in node.value:
            for inner in child if isinstance(child, tuple) else (child,):
                yield from misread(inner)


def fractional(annotation: Any) -> Any:
    """The annotation with every `float` taking fractions written as text."""
    if annotation is float:
        return Real
    if get_origin(annotation) is Annotated:
        return annotation
    inner = get_args(annotation)
    if get_origin(annotation) in UNIONS:
        return Union[tuple(fractional(a) for a in inner)]  # noqa: UP007
    if get_origin(annotation) in (tuple, list, dict, Mapping):
        origin = get_origin(annotation)
        return origin[tuple(a if a is Ellipsis else fractional(a) for a in inner)]
    return annotation


def written(value: Any) -> Any:
    """A value as `run.yaml` gives it back. Raises `TypeError` where JSON cannot write it."""
    return json.loads(json.dumps(plain(value)))


def plain(value: Any) -> Any:
    """A value as JSON writes it: dataclasses as mappings, tuples as lists, sets in order, paths as text."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value) if f.init}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((plain(item) for item in value), key=str)
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    return value
