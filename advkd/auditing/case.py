"""From the words of `advkd eval` to a `Case`: what is judged, on which data, against which threat."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from advkd.config import words as word_module
from advkd.config.build import Builder
from advkd.config.case import EXPLAINED, AuditPlan, Case, Resolved
from advkd.config.changes import applied
from advkd.config.checks import attackable, untrained
from advkd.config.layers import Raw, load_yaml, named, over
from advkd.config.resolve import file_or_name, holds_weights
from advkd.errors import AdvkdError, Problem, error, unknown
from advkd.files import expanded
from advkd.networks import weights
from advkd.registry import entries, split_name
from advkd.training.checkpoint import BEST
from advkd.training.folder import GIVEN, RESULT, RUN

FORMS = "a run folder, a .safetensors or .pt file, timm:NAME or another model source, or FILE.py:FUNCTION"
OF_SETTING = ("data", "threat", "split")


def resolve_case(target: str, *words: str) -> Resolved:
    """The audit of `target` that `words` describe: `suite=`, `setting=`, `data=`, `threat.eps=`, ...

    A run folder brings its own data, threat and split; a file of this toolkit names its setting. Raises
    `AdvkdError` with every problem found.
    """
    parsed = word_module.parse(words)
    chosen = {w.path: str(w.value) for w in parsed if w.op == "set" and w.path in ("setting", "suite")}
    suite = chosen.get("suite", "standard")
    raw_suite = named("suites", suite)
    raw = over(_base(target, chosen.get("setting"), parsed), raw_suite)
    raw = over(raw, {"target": target, "suite": Path(suite).stem})
    problems: list[Problem] = []
    rest = [w for w in parsed if w.path not in ("setting", "suite")]
    raw = applied(raw, rest, problems, Case)
    raw["teacher"] = file_or_name(raw.get("teacher"))
    if isinstance(nets := raw.get("nets"), dict):
        raw["nets"] = {name: file_or_name(net) for name, net in nets.items()}
    if "data" not in raw or "threat" not in raw:
        problems.append(_no_data())
    if not problems:
        case, resolved = Builder(problems).record(Case, raw, "", EXPLAINED)
    if not problems:
        problems += [*attackable(case, case.threat), *_limiting_nobody(case, raw_suite)]
        others = {"teacher": case.teacher, **{f"nets.{name}": net for name, net in case.nets.items()}}
        problems += untrained(others, "write FILE or RUN_FOLDER; a run that is judged brings its own teacher")
    if problems:
        raise AdvkdError(*problems)
    return Resolved(**vars(case), resolved=resolved)


def planned(suite: str, options: Mapping[str, Any]) -> tuple[AuditPlan, Raw]:
    """A suite with `options` of the plan, and its full dump; `evaluators` take the place of the suite's."""
    problems: list[Problem] = []
    of_suite, rest = named("suites", suite), dict(options)
    own = {"evaluators": rest.pop("evaluators")} if "evaluators" in rest else {}
    raw = over({**of_suite, **own}, {"suite": suite, **rest})
    plan, dump = Builder(problems).record(AuditPlan, raw, "", EXPLAINED)
    if not problems:
        problems += _limiting_nobody(plan, of_suite)
    if problems:
        raise AdvkdError(*problems)
    return plan, dump


def _no_data() -> Problem:
    return Problem(
        place="data",
        problem="on which images, against which threat?",
        names=list(entries("settings")),
        remedy="write setting=NAME, or data=... threat.eps=...",
    )


def _limiting_nobody(plan: AuditPlan, suite: Raw) -> list[Problem]:
    """Entries of `subset` for an evaluator that neither the plan nor its suite has."""
    known = {*plan.evaluators, *(suite.get("evaluators") or ())}
    return [unknown("subset", "evaluator", key, known) for key in plan.subset if key not in known]


def _base(target: str, setting: str | None, parsed: list[Any]) -> Raw:
    """Data, threat and split of the target itself, or of the setting."""
    path = expanded(target)
    base: Raw = {}
    if path.is_dir():
        if not (path / RUN).is_file():
            raise error("target", "is not the folder of a run: it has no run.yaml", given=target)
        base = load_yaml(path / RUN, "target")
        if "data" in base.get(GIVEN, {}) and not any(w.key[0] == "data" for w in parsed):
            raise error("data", "the run was given data in Python", given=target, remedy="write data=...")
    elif holds_weights(target):
        about = weights.about(path, "target")
        setting = setting or about.get("setting")
    elif ".py:" not in target:
        source = split_name(target)[0]
        if source not in entries("models"):
            raise error("target", "cannot be judged: it is none of the forms", given=target, remedy=FORMS)
    if setting:
        base = over(base, {k: v for k, v in named("settings", setting).items() if k in OF_SETTING})
    elif not base and any(w.path == "data" for w in parsed):
        base = {"threat": {}}
    return {key: base[key] for key in OF_SETTING if key in base}


def weights_of(folder: Path, name: str = BEST) -> Path:
    """A file of weights of a run folder; an error that says what is missing."""
    path = folder / name
    if not path.exists():
        ended = (folder / RESULT).exists()
        problem = f"the run has ended, and its {name} is gone" if ended else f"the run has no {name} yet"
        again = "put the file back, or remove the folder and run the same command again"
        remedy = again if ended else f"advkd run resume={folder}"
        raise error("target", problem, given=folder, remedy=remedy)
    return path
