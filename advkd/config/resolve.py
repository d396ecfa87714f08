"""Setting, then preset, then words: one `Run`, or every problem at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from advkd.config import words as word_module
from advkd.config.build import Builder
from advkd.config.changes import applied
from advkd.config.checks import crossed
from advkd.config.layers import Raw, named, over, spelled
from advkd.config.run import Run, Spec
from advkd.errors import AdvkdError, Problem, error
from advkd.files import expanded
from advkd.registry import entries, load, split_name

RECIPE = ("epochs", "batch_size", "optimizer", "schedule", "augment")
"""What a trained teacher takes from its setting, before any word changes the student's."""


def resolve(*words: str) -> Run:
    """The run that `words` describe: `preset=NAME`, `setting=NAME` (digits if absent), and changes.

    Raises `AdvkdError` with every problem found.
    """
    parsed = word_module.parse(words)
    chosen = {w.path: w.value for w in parsed if w.op == "set" and w.path in ("preset", "setting")}
    if "preset" not in chosen:
        names = list(entries("presets"))
        raise AdvkdError(
            Problem(place="preset", problem="which one?", names=names, remedy="write preset=path-dual")
        )
    problems: list[Problem] = []
    of_preset, of_setting = str(chosen["preset"]), spelled(str(chosen.get("setting", "digits")))
    setting = _layer("settings", of_setting, problems)
    preset = _layer("presets", of_preset, problems)
    if problems:
        raise AdvkdError(*problems)
    for place, content, key in ((of_preset, preset, "setting"), (of_setting, setting, "preset")):
        if key in content:
            problem, remedy = f"names a {key}, which words alone choose", f"take it out, and write {key}=NAME"
            raise error(place, problem, given=content[key], remedy=remedy)
    raw = over(setting, preset)
    written = {f"preset {of_preset}": preset, f"setting {of_setting}": setting}
    raw |= {"preset": Path(of_preset).stem, "setting": of_setting}
    raw = applied(raw, [w for w in parsed if w.op != "set" or w.path not in chosen], problems)
    raw["teacher"] = _teacher(raw.get("teacher"), setting, raw.get("validation"))
    raw["student"] = file_or_name(raw.get("student"))
    try:
        return from_raw(raw, problems)
    except AdvkdError as cause:
        typed = [word.path for word in parsed]
        raise AdvkdError(*(_traced(problem, typed, written) for problem in cause.problems)) from cause


def _traced(problem: Problem, typed: Sequence[str], written: Mapping[str, Raw]) -> Problem:
    """The problem with the preset or setting it stands in, unless a word has touched it."""
    place = problem.place
    if any(f"{place}.".startswith(f"{path}.") or path.startswith(f"{place}.") for path in typed):
        return problem
    for layer, content in written.items():
        node: Any = content
        for key in place.split("."):
            node = node.get(key, Ellipsis) if isinstance(node, dict) else Ellipsis
        if node is not Ellipsis:
            return replace(problem, given=f"{problem.given} in {layer}".strip())
    return problem


def from_raw(raw: Raw, problems: list[Problem] | None = None) -> Run:
    """The run of plain values, as `run.yaml` and a teacher's own training hold them."""
    problems = [] if problems is None else problems
    if not problems:
        spec, resolved = Builder(problems).record(Spec, raw, "")
    if not problems:
        problems += crossed(spec)
    if problems:
        raise AdvkdError(*problems)
    teacher = resolved.get("teacher")
    # left out when unset, so that hashes from before this option stay valid
    if isinstance(teacher, dict) and teacher.get("validation", ...) is None:
        del teacher["validation"]
    run = Run(**vars(spec), resolved=resolved)
    if isinstance(teacher, dict) and teacher["use"] == "trained":
        _taught(run)
    return run


def _taught(run: Run) -> None:
    """Raises `AdvkdError` where the teacher of `run` could not be trained."""
    try:
        teacher_run(run)
    except AdvkdError as cause:
        problems = [replace(p, place=f"teacher.{p.place}") for p in cause.problems]
        preset = run.resolved["teacher"]["preset"]
        remedy = "choose one that learns without, teacher.preset=pgd-at, or load a teacher"
        alone = Problem(place="teacher.preset", problem="needs a teacher itself", given=preset, remedy=remedy)
        raise AdvkdError(*(alone if p.place == "teacher.teacher" else p for p in problems)) from cause


def teacher_run(run: Run) -> Run:
    """How the teacher of `run` is trained: its own model and recipe, everything else the same."""
    teacher = run.resolved.get("teacher")
    if not isinstance(teacher, dict) or teacher.get("use") != "trained":
        raise error("teacher", "is loaded, not trained", given=teacher)
    shared = {key: run.resolved[key] for key in ("data", "split", "threat", "eval_batch_size")}
    recipe = {key: teacher[key] for key in RECIPE}
    if "validation" in teacher:
        recipe["validation"] = teacher["validation"]
    return from_raw(
        {
            "validation": run.resolved["validation"],
            **named("presets", teacher["preset"]),
            **shared,
            **recipe,
            "preset": teacher["preset"],
            "setting": run.setting,
            "student": teacher["model"],
            "teacher": None,
            "evaluation": {},
            "seed": teacher["seed"],
            **{key: run.resolved[key] for key in ("device", "compile", "precision", "deterministic")},
        }
    )


def _layer(slot: str, name: str, problems: list[Problem]) -> Raw:
    try:
        return named(slot, name)
    except AdvkdError as cause:
        problems += cause.problems
        return {}


def _teacher(raw: Any, setting: Raw, validation: Any) -> Any:
    raw = file_or_name(raw)
    if not isinstance(raw, dict) or raw.get("use") != "trained":
        return raw
    recipe = {key: setting[key] for key in RECIPE if key in setting}
    # a student whose best epoch is chosen in another way does not get another teacher for it
    if validation != setting.get("validation"):
        own = _layer("presets", str(raw.get("preset", load("models", "trained").preset)), [])
        recipe["validation"] = own.get("validation", setting.get("validation"))
    return over(recipe, raw)


def file_or_name(raw: Any) -> Any:
    """A network as words give it: what looks like a path means the file there."""
    if isinstance(raw, str):
        raw = {"use": raw}
    if not isinstance(raw, dict):
        return raw
    name = str(raw.get("use"))
    # a folder that happens to be called like a model does not take its name: ./NAME is the folder
    if split_name(name)[0] in entries("models"):
        return raw
    # `hub:USER/NAME` misspelt is no path either
    source, colon, _ = name.partition(":")
    if colon and "/" not in source and not expanded(name).exists():
        return raw
    if "/" in name or holds_weights(name) or Path(name).is_dir():
        return {**raw, "use": "file", "path": name}
    return raw


def holds_weights(name: str) -> bool:
    """Whether a word names a file of weights: it ends like one, or there is such a file, not of code."""
    if name.endswith(".py"):
        return False
    return name.endswith((".safetensors", ".pt", ".pth")) or expanded(name).is_file()
