"""The model card of a pushed student: what it is, what it withstood, how to load it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from advkd.errors import error
from advkd.result import wilson
from advkd.types import Threat

RUN, RESULT = "run.yaml", "result.json"
TAGS = ["adversarial-robustness", "adversarial-distillation", "advkd"]


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the files of an ended run say: its configuration, its numbers, and its audits by folder."""

    run: Mapping[str, Any]
    result: Mapping[str, Any]
    audits: Mapping[str, Mapping[str, Any]]

    @property
    def threat(self) -> str:
        """The threat in words."""
        return str(Threat(**self.run["threat"]))

    @property
    def judged(self) -> Mapping[str, Any]:
        """The numbers of the run; of its largest audit where it did not judge itself, as in a comparison."""
        if self.result["robust"] is not None:
            return self.result
        alike = (about for about in self.audits.values() if about["threat"] == self.threat)
        largest = max(alike, key=lambda about: (about["complete"], about["n_test"]), default=None)
        if largest is None:
            raise error(
                "push", "was never judged on test images under its own threat", remedy="advkd eval FOLDER"
            )
        return largest

    @property
    def numbers(self) -> dict[str, tuple[float, str]]:
        """Accuracies by what is measured, each with the attack behind it."""
        attacks = {
            name: (value, json.dumps(self.run["evaluation"].get(name), ensure_ascii=False))
            for name, value in self.result["attacks"].items()
        }
        worst = (self.judged["robust"], "every image against the attack that breaks it")
        return {"clean": (self.judged["clean"], "none"), **attacks, "worst case": worst}


def told(folder: Path) -> Told:
    """What a run folder says; an `AdvkdError` if the run has not ended."""
    for name in (RUN, RESULT):
        if not (folder / name).is_file():
            problem = f"is not the folder of an ended run: it has no {name}"
            raise error("push", problem, given=folder, remedy=f"end it first: advkd run resume={folder}")
    run = yaml.safe_load((folder / RUN).read_text(encoding="utf-8"))
    audits = {file.parent.name: _json(file) for file in sorted(folder.glob(f"eval/*/{RESULT}"))}
    # what was chosen by validation images is not told by them
    tested = {
        name: about
        for name, about in audits.items()
        if about.get("options", {}).get("part", "test") == "test"
    }
    return Told(run=run, result=_json(folder / RESULT), audits=tested)


def card(told: Told, name: str, license: str) -> str:
    """The README.md of the repository `name`: metadata of the hub, with a model index, and text."""
    from huggingface_hub import EvalResult, ModelCardData

    run, n = told.run, told.judged["n_test"]
    results = [
        EvalResult(
            task_type="image-classification",
            dataset_type=run["setting"],
            dataset_name=run["setting"],
            dataset_split="test",
            metric_type="accuracy",
            metric_name="clean accuracy" if what == "clean" else f"accuracy, {told.threat}, {what}",
            metric_value=round(value, 6),
            metric_args={"n": n, "interval": _interval(value, n)},
        )
        for what, (value, _) in told.numbers.items()
    ]
    data = ModelCardData(
        license=license,
        library_name="advkd",
        pipeline_tag="image-classification",
        tags=[*TAGS, run["preset"]],
        model_name=name.rpartition("/")[2],
        eval_results=results,
    )
    return f"---\n{data.to_yaml()}\n---\n\n" + "\n".join(_text(told, name)) + "\n"


def _text(told: Told, name: str) -> Iterator[str]:
    run = told.run
    student, n = run["student"]["use"], told.judged["n_test"]
    yield f"# {name.rpartition('/')[2]}\n"
    yield f"A `{student}`, trained by advkd with the preset `{run['preset']}` in the setting"
    yield f"`{run['setting']}`, against the threat {told.threat}."
    yield "Pixels in [0,1] in, logits out: normalisation is inside."
    yield f"\n## Accuracy on {n} test images\n"
    yield "| under | % | 95 % interval | attack |\n|---|---|---|---|"
    for what, (value, attack) in told.numbers.items():
        yield f"| {what} | {100 * value:.1f} | {_range(_interval(value, n))} | {attack} |"
    yield "\nThe worst case is what to compare. It is what these attacks found, not a certificate."
    others = {"student, last epoch": told.judged.get("last"), "teacher": told.judged.get("teacher")}
    if any(others.values()):
        yield "\n| beside it | clean % | worst case % |\n|---|---|---|"
        yield from (
            f"| {who} | {100 * row['clean']:.1f} | {100 * row['robust']:.1f} |"
            for who, row in others.items()
            if row
        )
    if told.audits:
        yield "\n## Audits\n\n| suite | threat | n | clean % | worst case % | 95 % interval | flags |"
        yield "|---|---|---|---|---|---|---|"
        yield from (_audit(about) for about in told.audits.values())
    yield "\n## Loading\n\n```python\nimport advkd"
    yield "from advkd_plugins.hub.model import fetched\n"
    yield f'net = advkd.load(fetched("{name}"))\n```\n'
    yield f"    advkd eval hub:{name} setting={run['setting']}"
    yield f"    advkd run preset=rslad setting={run['setting']} teacher=hub:{name}\n"
    yield f"Run {run['hash']}, seed {run['seed']}; `{RUN}` holds every option, `{RESULT}` cost and versions."


def _audit(about: Mapping[str, Any]) -> str:
    robust = f"{100 * about['robust']:.1f}" + ("" if about["complete"] else " at most")
    flags = ", ".join(flag["name"] for flag in about["flags"]) or "none"
    cells = [about["suite"], about["threat"], about["n_test"], f"{100 * about['clean']:.1f}", robust]
    return "| " + " | ".join(map(str, [*cells, _range(about["interval"]["robust"]), flags])) + " |"


def _interval(value: float, n: int) -> list[float]:
    return [round(end, 6) for end in wilson(round(value * n), n)]


def _range(ends: list[float]) -> str:
    return f"{100 * ends[0]:.1f} to {100 * ends[1]:.1f}"


def _json(file: Path) -> Mapping[str, Any]:
    content: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return content
