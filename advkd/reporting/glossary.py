"""What the names of a report stand for, as their members say of themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from advkd.errors import AdvkdError
from advkd.registry import find, split_name
from advkd.registry.sources import source_of
from advkd.reporting.material import Material
from advkd.reporting.teacher import teachers

HIDDEN = ("use", "model", "mean", "std", "root", "path", "download")
"""Options that say nothing of what a name stands for."""


SCALE = "pixels lie between 0 and 1 unless the setting has another box."
THREATS = {
    "linf": f"An attack may change every pixel of an image, each by at most eps; {SCALE}",
    "l2": "An attack may change an image as long as the root of the sum of the squares of all changes is at "
    f"most eps; {SCALE}",
}


@dataclass(frozen=True)
class Meaning:
    """A name, the options it was given where they matter, and its first sentence."""

    name: str
    options: str
    text: str


def glossary(material: Material) -> dict[str, list[Meaning]]:
    """Meanings by heading; names that no installed distribution has any more are left out."""
    if not material.groups:
        return {}
    found = {
        "methods": list(_methods(material)),
        "data and networks": list(_setting(material)),
        "threat": [Meaning(material.threat, "", THREATS[material.threat.split()[0]])],
    }
    told = json.loads(material.judged.terms["attacks"]) or {}
    told = told.get("evaluators", told)
    found["attacks"] = [
        one for name in material.judged.attacks for one in _meant("evaluators", name, told.get(name))
    ]
    return {heading: meanings for heading, meanings in found.items() if meanings}


def _methods(material: Material) -> Iterator[Meaning]:
    modifiers: dict[str, Any] = {}
    for group in material.groups:
        config = group.first.config
        if "preset" in config:
            yield from _meant("presets", group.name, config["preset"])
        modifiers |= config.get("modifiers") or {}
    for name, options in modifiers.items():
        yield from _meant("modifiers", name, options)


def _setting(material: Material) -> Iterator[Meaning]:
    config = material.groups[0].first.config
    yield from _meant("data", "data", config.get("data"))
    students: list[Any] = []
    for group in material.groups:
        student = group.first.config.get("student")
        if student not in students:
            students.append(student)
            yield from _meant("models", "student", student)
    models = [one.get("model") or one for one in teachers(material)]
    for i, model in enumerate(models):
        if model not in models[:i]:
            yield from _meant("models", "teacher", model)


def _meant(slot: str, name: str, member: str | Mapping[str, Any] | None) -> Iterator[Meaning]:
    """The meaning of a name that stands for a member with options."""
    raw = {"use": member} if isinstance(member, str) else dict(member or {})
    if not isinstance(use := raw.get("use", name), str):
        return
    try:
        text = source_of(find(slot, split_name(use)[0])).headline
    except AdvkdError:
        return
    told = [f"{key} {value}" for key, value in raw.items() if key not in HIDDEN and value is not None]
    yield Meaning(name, ", ".join([use] * (use != name) + told), text)
