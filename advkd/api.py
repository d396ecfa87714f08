"""What scripts, notebooks and the command line use."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import Dataset

from advkd.admission import admit, without_programs
from advkd.auditing import open as doors
from advkd.auditing.ledger import Progress
from advkd.auditing.probe import gradient
from advkd.auditing.verdict import Verdict
from advkd.config.case import Resolved
from advkd.config.resolve import resolve
from advkd.config.run import Run
from advkd.errors import error
from advkd.evaluation import evaluate
from advkd.files import expanded
from advkd.fingerprints import data_fingerprint
from advkd.models.file import File
from advkd.networks import weights
from advkd.networks.art import shaped, to_art
from advkd.networks.cost import restart_peak
from advkd.networks.device import chosen, environment, repeatable, undisturbed
from advkd.protocols import DataSource, Reporter
from advkd.reporters.jsonl import Jsonl, keep_before
from advkd.reporting import report
from advkd.reporting.write import report_audit
from advkd.result import Result
from advkd.splits import Splits, split
from advkd.streams import global_seed
from advkd.training import checkpoint, tracing
from advkd.training import folder as run_folder
from advkd.training.closing import images_to_judge, judge_all
from advkd.training.gate import admitted
from advkd.training.given import Given, Pair
from advkd.training.loop import Setup, Training
from advkd.training.one_step import loss_of
from advkd.training.teachers import described, made, provided
from advkd.types import Record, Shape, Threat, silent

__all__ = [
    "Result",
    "Run",
    "Threat",
    "audit",
    "evaluate",
    "load",
    "loss_of",
    "report",
    "resolve",
    "resume",
    "to_art",
    "train",
]


@undisturbed
def train(
    run: Run,
    *,
    student: nn.Module | None = None,
    teacher: nn.Module | None = None,
    data: DataSource | Pair | None = None,
    out: str | Path | None = None,
    reporters: Sequence[Reporter] = (),
) -> Result:
    """Trains a student as `run` says, evaluates it on the test split, and leaves a run folder.

    `student`, `teacher` (pixels in [0,1] to logits) and `data` (a `DataSource`, or a training and a test
    data set) stand in for those of the run. The result's `net` is the student of the best validation
    epoch. Raises `AdvkdError` for everything a user can repair; what was written before stays.
    """
    folder = run_folder.made(run, out)
    return _trained(run, folder, Given(student, teacher, data), reporters, go_on=False)


@undisturbed
def resume(
    out: str | Path,
    *,
    student: nn.Module | None = None,
    teacher: nn.Module | None = None,
    data: DataSource | Pair | None = None,
    reporters: Sequence[Reporter] = (),
) -> Result:
    """Goes on with the run of a folder from its last whole epoch, to the same bits as uninterrupted.

    The same bits on a CPU with as many threads; on a GPU only with `deterministic=true`.
    A run that was given a student, a teacher or data is to be given the same again. Raises `AdvkdError`.
    """
    folder = expanded(out)
    run = run_folder.opened(folder)
    return _trained(run, folder, Given(student, teacher, data), reporters, go_on=True)


def load(path: str | Path) -> nn.Module:
    """The best student of a run folder (or the network of one of its weight files), in eval mode."""
    file = expanded(path)
    file = file / checkpoint.BEST if file.is_dir() else file
    about = weights.about(file, "load")
    shape: Shape = tuple(about.get("shape", (3, 32, 32)))
    return shaped(File(path=str(file))(about.get("classes", 10), shape).eval(), shape)


@undisturbed
def audit(
    net: nn.Module,
    data: Dataset[Any],
    threat: Threat,
    *,
    suite: str = "standard",
    nets: Mapping[str, nn.Module] | None = None,
    out: str | Path | None = None,
    **options: Any,
) -> Verdict:
    """A robustness verdict for any network: pixels in [0,1] (B,C,H,W) to logits (B,N), on its own device.

    `data` holds ((C,H,W), int). `nets` are further networks attacks may ask, `teacher` first of all.
    `options` are those of `AuditPlan`: limit, budget, seed, batch_size, curves, and `evaluators`, which takes
    the place of the suite's. With `out` the audit leaves a folder there, with a report, and the same call
    goes on where it was stopped. Raises `AdvkdError`.
    """
    return _shown(doors.audit(net, data, threat, suite=suite, nets=nets, out=out, **options))


def judge(case: Resolved, out: str | Path | None = None, progress: Progress = silent) -> Verdict:
    """Audits what a case says; leaves a folder with a report, and renews that of a run it belongs to."""
    return _shown(doors.judged(case, out, progress))


def _shown(verdict: Verdict) -> Verdict:
    if verdict.folder is not None:
        report_audit(verdict.folder)
    return verdict


def _trained(run: Run, folder: Path, given: Given, reporters: Iterable[Reporter], *, go_on: bool) -> Result:
    begin = time.perf_counter()
    with run_folder.locked(folder), _closing(run.reporters.values()):
        splits = replace(split(given.source() or run.data, run.split), given=given.data is not None)
        marks = _begun(run, folder, given, splits, go_on)
        device = chosen(run.device)
        log = Jsonl(path=str(folder / run_folder.METRICS))
        report = _all([*reporters, *run.reporters.values(), log])
        with repeatable(run.deterministic):
            nets = _nets(run, given, splits, device, report)
            setup = _set_up(run, given, splits, nets, folder, report)
            restart_peak(device)
            training = Training(run, setup)
            if go_on:
                begin -= _taken_up(folder)
            training.fit(resume=go_on)
        judged = images_to_judge(run, splits, folder)
        result = judge_all(run, nets, judged, folder)
        tracing.leave(folder, nets, splits.validation, run.threat, run.seed)
        cost = {"seconds": round(time.perf_counter() - begin, 3), **training.cost.summary()}
        net, modifiers = nets["student"].eval(), tuple(run.modifiers)
        result = replace(result, cost=cost, modifiers=modifiers, folder=folder, net=net)
        content = run_folder.summary(run, result, environment(device))
        content["engine"] = training.engine.about
        content["given"] = list(marks)
        content["images"] = data_fingerprint(judged.x, judged.y)
        run_folder.finish(folder, content, result, judged.y)
    return result


def _set_up(
    run: Run, given: Given, splits: Splits, nets: Mapping[str, nn.Module], folder: Path, report: Reporter
) -> Setup:
    about = described(run, splits)
    if given.student is not None:
        del about["model"]
    return Setup(
        nets=nets,
        train=splits.train,
        validation=splits.validation,
        folder=folder,
        report=report,
        about=about,
    )


def _taken_up(folder: Path) -> float:
    """Forgets metrics of the epoch that was cut short, and gives the seconds that those before it took."""
    epoch, seconds = checkpoint.reached(folder)
    keep_before(folder / run_folder.METRICS, epoch)
    return seconds


def _begun(run: Run, folder: Path, given: Given, splits: Splits, go_on: bool) -> Mapping[str, str]:
    """The marks of what was given, written for a new run and compared for one that goes on."""
    marks, images = given.marks(splits, run.nets), given.images(splits)
    if go_on:
        run_folder.check_same_inputs(folder, run, marks, images)
    else:
        run_folder.begin(folder, run, marks, images)
    return marks


def _nets(
    run: Run, given: Given, splits: Splits, device: torch.device, report: Reporter
) -> dict[str, nn.Module]:
    student = given.student
    if student is None:
        with global_seed(run.seed, "init"):
            student = made(run.student, "student", splits)
    nets = {"student": shaped(student, splits.shape).to(device)}
    if "teacher" in run.nets:
        teacher = given.teacher
        nets["teacher"] = (
            provided(run, splits, device, report)
            if teacher is None
            else admitted(teacher.to(device), splits, run.eval_batch_size)
        )
    image = splits.train.subset(torch.arange(1))
    without_programs(nets["student"], "student")
    admit(nets["student"], "student", image, splits.classes, 1, device)
    # what attacks will ask for when training is over
    for name, net in nets.items() if run.evaluation else ():
        gradient(net, name, [image.batch(torch.arange(1)).to(device)], "margin")
    if not any(parameter.requires_grad for parameter in nets["student"].parameters()):
        remedy = "call its requires_grad_(True), and use another network as the teacher, which is frozen"
        raise error("student", "has no parameter to train", given=type(student).__name__, remedy=remedy)
    return nets


def _closing(reporters: Iterable[Reporter]) -> ExitStack:
    """Closes those that can be closed, however the block ends and whichever of them fails."""
    stack = ExitStack()
    for reporter in reporters:
        if hasattr(reporter, "close"):
            stack.callback(reporter.close)
    return stack


def _all(reporters: Sequence[Reporter]) -> Reporter:
    def report(record: Record) -> None:
        for reporter in reporters:
            reporter(record)

    return report
