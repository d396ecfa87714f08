"""Opening what is judged: a run, a file, a model source, a function of a Python file."""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from advkd.auditing.case import FORMS, weights_of
from advkd.auditing.order import Subject
from advkd.config.build import member
from advkd.config.case import Resolved
from advkd.config.resolve import holds_weights
from advkd.errors import AdvkdError, Problem, error, unknown
from advkd.files import expanded
from advkd.models.file import File
from advkd.models.timm import published_classes
from advkd.registry import split_name
from advkd.registry.pyfile import imported
from advkd.training.checkpoint import BEST, LAST
from advkd.training.folder import RUN, given_to, written
from advkd.training.teachers import of_run, record_of
from advkd.types import Shape

Nets = dict[str, nn.Module]


def opened(case: Resolved, classes: int, shape: Shape, device: torch.device) -> tuple[list[Subject], Nets]:
    """The subjects of an audit, the judged one first, and the networks its attacks may ask."""
    path = expanded(case.target)
    nets = {name: _placed(source(classes, shape), device) for name, source in case.nets.items()}
    subjects = _run(case, path, classes, shape) if (path / RUN).is_file() else [_single(case, classes, shape)]
    if case.teacher is not None:
        subjects.append(Subject("teacher", case.teacher(classes, shape).eval()))
    subjects = [replace(s, net=s.net.to(device)) for s in subjects]
    nets |= {s.who: s.net for s in subjects if s.who == "teacher"}
    judged = [s for s in subjects if s.who != "teacher" or "teacher" in case.rows]
    if not judged:
        remedy = "give teacher=FILE, or write rows=[best]"
        raise error("rows", "none of these is there to judge", given=", ".join(case.rows), remedy=remedy)
    return judged, nets


def _run(case: Resolved, folder: Path, classes: int, shape: Shape) -> list[Subject]:
    files = {"best": ("student", BEST), "last": ("last", LAST)}
    rows = [files[row] for row in files if row in case.rows]
    subjects = [
        _file(who, File(path=str(weights_of(folder, name)), model=case.model), classes, shape)
        for who, name in rows
    ]
    teacher = _teacher(folder) if case.teacher is None else None
    return subjects if teacher is None else [*subjects, _file("teacher", teacher, classes, shape)]


def _teacher(folder: Path) -> File | None:
    try:
        run = written(folder, "target")[0]
    except AdvkdError as cause:
        problem = "without what it was trained with the run does not say who its teacher was"
        remedy = f"install it, give teacher=FILE, or judge the weights: advkd eval {folder / BEST}"
        raise AdvkdError(*cause.problems, Problem(place="target", problem=problem, remedy=remedy)) from cause
    given = given_to(folder, "target")
    # one that was handed over in Python is in no file, and another one is not what the student has seen
    return None if "teacher" in given else of_run(run, given.get("data", ""))


def _single(case: Resolved, classes: int, shape: Shape) -> Subject:
    target = case.target
    is_file = holds_weights(target)
    if case.model is not None and not is_file:
        raise error(
            "model", "is for a file of weights, which this target is not", given=target, remedy="leave it out"
        )
    file, colon, function = target.rpartition(":")
    if colon and file.endswith(".py"):
        return Subject("model", returned(expanded(file), function))
    if is_file:
        return _file("model", File(path=target, model=case.model), classes, shape)
    name, rest = split_name(target)
    options: dict[str, Any] = {}
    if name == "timm" and rest is not None:
        options["pretrained"] = True
        published = published_classes(rest)
        if published not in (None, classes):
            problem = f"was trained for {published} classes, the data has {classes}"
            raise error("target", problem, given=target, remedy="choose data or a network that fit")
    source = member("models", {"use": target if rest is not None else name, **options}, "target")[0]
    try:
        return Subject("model", source(classes, shape).eval())
    except AdvkdError as cause:
        raise AdvkdError(*(replace(p, place=f"target {target}") for p in cause.problems)) from cause


def _file(who: str, source: File, classes: int, shape: Shape) -> Subject:
    try:
        return Subject(who, source(classes, shape).eval(), record_of(source))
    except AdvkdError as cause:
        words = {"file.path": "target", "file.model": "model"}
        problems = (replace(p, place=words.get(p.place, p.place)) for p in cause.problems)
        raise AdvkdError(*problems) from cause


def returned(file: Path, function: str) -> nn.Module:
    """What a function of a Python file returns, in the mode it comes in; an error unless it is a network."""
    module = imported(file, "target")
    make = getattr(module, function, None)
    if make is None or not callable(make):
        names = [name for name, value in vars(module).items() if inspect.isfunction(value)]
        raise AdvkdError(unknown("target", f"function of {file.name}", function, names))
    try:
        net = make()
    # it is somebody's code and fails in its own way
    except (Exception, SystemExit) as cause:
        problem = f"{function}() failed: {type(cause).__name__}: {cause}"
        raise error(
            "target", problem, given=file, remedy="repair it; it is called without arguments"
        ) from cause
    if not isinstance(net, nn.Module):
        given = f"{type(net).__name__} from {function}()"
        raise error("target", "is no torch.nn.Module", given=given, remedy=FORMS)
    return net


def _placed(net: nn.Module, device: torch.device) -> nn.Module:
    return net.to(device).eval().requires_grad_(False)
