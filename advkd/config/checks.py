"""What no single option can know: checks across the members of a run."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from advkd.config.run import Spec
from advkd.errors import AdvkdError, Problem, unknown
from advkd.protocols import nets_of
from advkd.registry import load
from advkd.types import Threat

log = logging.getLogger("advkd")

NETS = ("student", "teacher")


def attackable(spec: Any, threat: Threat) -> list[Problem]:
    """Members of `spec` that do not know the threat's norm, or whose steps are too long for it.

    A step above eps is a warning.
    """
    problems: list[Problem] = []
    for place, member in _members(spec, ""):
        norms = getattr(member, "norms", (threat.norm,))
        if threat.norm not in norms:
            remedy = f"write threat.norm={norms[0]}, or choose another attack"
            problem = f"does not attack in {threat.norm}"
            problems.append(Problem(place=place, problem=problem, given=", ".join(norms), remedy=remedy))
        size = getattr(member, "step_size", None)
        if size is None:
            continue
        try:
            length = threat.step(size)
        except AdvkdError as cause:
            problems += [dataclasses.replace(p, place=f"{place}.step_size") for p in cause.problems]
            continue
        if length > threat.eps * (1 + 1e-9):
            log.warning("%s.step_size: a step of %.4g is longer than eps %.4g", place, length, threat.eps)
    return problems


def crossed(spec: Spec) -> list[Problem]:
    """The problems of a run as a whole: attacks outside the threat, networks nobody has, weights of two."""
    problems = attackable(spec, spec.threat)
    problems += _asking(spec)
    remedy = "write student=MODEL, or student=RUN_FOLDER to go on from a network that was trained"
    problems += untrained({"student": spec.student}, remedy)
    needed = nets_of(spec.method)
    for net in needed:
        if net not in NETS:
            problems.append(unknown("method", "network in a target or weighting", net, NETS))
    if "teacher" in needed and spec.teacher is None:
        problems.append(
            Problem(
                place="teacher",
                problem=f"preset {spec.preset} needs one",
                remedy="write teacher=FILE, teacher=RUN_FOLDER, or teacher.use=trained teacher.model=NAME",
            )
        )
    offering = [name for name, modifier in spec.modifiers.items() if hasattr(modifier, "weights")]
    if len(offering) > 1:
        problems.append(
            Problem(
                place="modifiers",
                problem="only one can say which weights are judged",
                given=", ".join(offering),
                remedy=f"leave one out, drop=modifiers.{offering[-1]}",
            )
        )
    return problems


def untrained(sources: Mapping[str, Any], remedy: str) -> list[Problem]:
    """Those of `sources`, by place, that only the teacher of a run can be: nothing else trains them."""
    return [
        Problem(place=place, problem="can only be the teacher of a run", given="trained", remedy=remedy)
        for place, source in sources.items()
        if isinstance(source, load("models", "trained"))
    ]


def _asking(spec: Spec) -> Iterator[Problem]:
    """Evaluators of a run that ask another network: a run hands them the judged one alone."""
    for place, evaluator in {
        "validation": spec.validation,
        **{f"evaluation.{name}": evaluator for name, evaluator in spec.evaluation.items()},
    }.items():
        if nets := getattr(evaluator, "nets", ()):
            yield Problem(
                place=place,
                problem="needs another network, which a run does not give its attacks",
                given=", ".join(nets),
                remedy="leave it out, and judge the run by it: advkd eval FOLDER '+evaluators.NAME={...}'",
            )


def _members(node: Any, place: str) -> Iterator[tuple[str, Any]]:
    if dataclasses.is_dataclass(node):
        yield place, node
        for field in dataclasses.fields(node):
            if field.init:
                yield from _members(getattr(node, field.name), f"{place}.{field.name}".lstrip("."))
    elif isinstance(node, Mapping):
        for key, value in node.items():
            yield from _members(value, f"{place}.{key}".lstrip("."))
