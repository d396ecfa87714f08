"""Where a teacher comes from: loaded, taken from the cache, or trained."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from filelock import FileLock
from torch import nn

from advkd.config.resolve import teacher_run
from advkd.config.run import Run
from advkd.errors import AdvkdError, error
from advkd.files import expanded, held, write_json
from advkd.models.file import File, file_of, saved
from advkd.models.trained import Trained
from advkd.networks import weights
from advkd.networks.device import repeatable
from advkd.networks.engine import asked_for
from advkd.protocols import ModelSource, Reporter
from advkd.splits import Splits
from advkd.streams import global_seed
from advkd.training import checkpoint
from advkd.training.checkpoint import BEST
from advkd.training.folder import check_held_out
from advkd.training.gate import WRONG_INPUT, admitted
from advkd.training.loop import Setup, Training
from advkd.training.member_code import code_of

log = logging.getLogger("advkd")

T = TypeVar("T")

TRAIN_LONGER = "it has learned too little: raise teacher.epochs, or choose another teacher.model"

IMAGES = "images.json"
"""The note beside a teacher in the cache: which images it was trained with."""


def provided(run: Run, splits: Splits, device: torch.device, report: Reporter) -> nn.Module:
    """The teacher of a run: loaded, taken from the cache, or trained; past the gate, frozen, in eval mode."""
    source = run.teacher
    if source is None:
        raise error("teacher", f"preset {run.preset} needs one")
    given, remedy = f"{run.resolved['teacher']}", WRONG_INPUT
    if isinstance(source, Trained):
        path = _trained(run, splits, device, report)
        source, given, remedy = File(path=str(path), model=source.model), str(path.parent), TRAIN_LONGER
    source = saved(source)
    if isinstance(source, File) and not splits.given:
        check_held_out(Path(source.path), "teacher", run.resolved, lambda: splits.marks)
    net = made(source, "teacher", splits).to(device)
    record = record_of(source) if isinstance(source, File) else {}
    return admitted(net, splits, run.eval_batch_size, record=record, given=given, remedy=remedy)


def made(source: ModelSource, who: str, splits: Splits) -> nn.Module:
    """The network of a source, `teacher` or `student`, for the images of a run; errors say whose it is."""
    try:
        return source(splits.classes, splits.shape)
    except AdvkdError as cause:
        problems = (replace(p, place=f"{who}.{p.place.rpartition('.')[2]}") for p in cause.problems)
        raise AdvkdError(*problems) from cause


def of_run(run: Run, own: str = "") -> File | None:
    """The file a run has, or could have, learned from; None where it is not there any more.

    `own` names the training images, where they were handed to the run.
    """
    source = run.teacher
    if isinstance(source, Trained):
        path = cached(run, own) / BEST
        return File(path=str(path), model=source.model) if path.exists() else None
    return file_of(source)


def record_of(source: File) -> Mapping[str, Any]:
    """What the file of a network says of its validation; nothing if it is of other code."""
    record: Mapping[str, Any] = _about(source).get("validation", {})
    return record


def _about(source: File) -> Mapping[str, Any]:
    return weights.about(source.place, "teacher.path")


def cache() -> Path:
    """The folder of trained teachers; the environment variable ADVKD_CACHE moves it."""
    return expanded(os.environ.get("ADVKD_CACHE") or "~/.cache/advkd") / "teachers"


def cached(run: Run, own: str = "") -> Path:
    """The folder of the trained teacher of a run; `own` names training images of the caller's."""
    recipe = teacher_run(run)
    parts = (Path(recipe.preset).stem, Path(recipe.setting).stem, recipe.hash, str(recipe.seed), own)
    return cache() / "-".join(part for part in parts if part)


def _trained(run: Run, splits: Splits, device: torch.device, report: Reporter) -> Path:
    recipe, folder = teacher_run(run), cached(run, splits.own)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise error("ADVKD_CACHE", cause.strerror or str(cause), given=folder.parent) from cause
    with held(FileLock(f"{folder}.lock")):
        path = folder / BEST
        if path.exists() and (about := _sound(path)) is not None:
            _hold(folder, splits, recipe)
            _tell_engine(about, run)
            return path
        shutil.rmtree(folder, ignore_errors=True)
        partial = Path(f"{folder}.partial")
        partial.mkdir(exist_ok=True)
        if (partial / checkpoint.NAME).exists():
            _hold(partial, splits, recipe)
        else:
            write_json(partial / IMAGES, {**splits.marks, **code_of(recipe)})
        _fit(recipe, splits, device, report, partial)
        partial.rename(folder)
        # an unfinished one that was in the cache has kept its engine
        _tell_engine(weights.about(path, "teacher"), run)
        return path


def _sound(path: Path) -> Mapping[str, Any] | None:
    """What a file of weights says of itself; None of a damaged one."""
    try:
        return weights.read(path, "teacher")[1]
    except AdvkdError as cause:
        log.warning("the cached teacher is damaged and is trained again: %s", cause.problems[0].problem)
    return None


def _tell_engine(about: Mapping[str, Any], run: Run) -> None:
    """Says where a teacher comes from another engine than `run` asks for."""
    engine = about.get("engine", {})
    asked = asked_for(run.compile, run.precision)
    if any(engine.get(key, value) != value for key, value in asked.items()):
        trained = ", ".join(f"{key} {str(value).lower()}" for key, value in engine.items())
        log.warning(
            "the cached teacher was trained with %s: precision and compile affect only the student; "
            "another ADVKD_CACHE=DIR trains both as asked",
            trained,
        )


def _hold(folder: Path, splits: Splits, recipe: Run) -> None:
    """Refuses a teacher in `folder` that has learned from other images, or by other code, than there is now.

    Images that it has learned from may be test images now. Of a teacher without a note nothing is known,
    and it is taken as it is.
    """
    try:
        noted = json.loads((folder / IMAGES).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    others = [f"{part} images" for part, mark in splits.marks.items() if noted.get(part) != mark]
    others += [what for what, mark in code_of(recipe).items() if noted.get(what, mark) != mark]
    if others:
        problem = f"the one in the cache was trained with other {' and '.join(others)}"
        remedy = "remove this folder to train it anew, or put them back as they were"
        raise error("teacher", problem, given=folder, remedy=remedy)


def _fit(recipe: Run, splits: Splits, device: torch.device, report: Reporter, folder: Path) -> None:
    with global_seed(recipe.seed, "init"):
        net = recipe.student(splits.classes, splits.shape).to(device)
    about = described(recipe, splits)
    setup = Setup(
        nets={"student": net},
        train=splits.train,
        validation=splits.validation,
        folder=folder,
        report=report,
        about=about,
        stage="teacher",
    )
    with repeatable(recipe.deterministic):
        Training(recipe, setup).fit(resume=True)


def described(run: Run, splits: Splits) -> dict[str, Any]:
    """What a file of weights says of itself: the model they are for, wherever they came from."""
    return {
        "model": _model(run.resolved["student"]),
        "classes": splits.classes,
        "shape": list(splits.shape),
        "preset": run.preset,
        "setting": run.setting,
        "hash": run.hash,
        "seed": run.seed,
        "modifiers": run.resolved["modifiers"],
    }


def _model(source: Any) -> Any:
    """The model behind a source, which a file names of itself where nothing else does."""
    use = source.get("use") if isinstance(source, Mapping) else source
    if use == "file" and not source.get("model"):
        return _model(_about(File(path=source["path"])).get("model", source))
    return _model(source["model"]) if use in ("file", "trained") else source
