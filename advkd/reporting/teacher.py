"""The teacher of a report: the one that all its students have learned from, or none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from advkd.reporting.material import Material, Scores
from advkd.training.folder import GIVEN


def teachers(material: Material) -> list[Mapping[str, Any]]:
    """What runs say of their teachers, each once."""
    found = {}
    for row in (row for group in material.groups for row in group.rows):
        given = (row.config.get(GIVEN) or {}).get("teacher")
        # one that was handed over in Python takes the place of what the configuration names
        named = {"given": given} if given else row.config.get("teacher") or {}
        # presets that validate without attacks write down what the teacher is validated by, others do not
        told = {key: value for key, value in named.items() if key != "validation"}
        # a method that learns without one has a teacher in its setting too
        asked = not row.cost or "teacher_parameters" in row.cost
        if told and asked:
            found[json.dumps(told, sort_keys=True)] = told
    return list(found.values())


def teacher(material: Material) -> Scores | None:
    """What the teacher comes to, where somebody judged it and there is no other."""
    if len(teachers(material)) > 1:
        return None
    known = (material.comparison or {}).get("teacher")
    if known:
        return Scores(known["clean"], known["robust"], material.n)
    return next((j.teacher for group in material.groups for j in group.judged if j.teacher), None)
