"""The two doors to an audit: a `Case` from words (`advkd eval`), and a network in Python (`advkd.audit`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from torch import nn
from torch.utils.data import Dataset

from advkd.auditing.audit import audited
from advkd.auditing.case import planned
from advkd.auditing.ledger import Progress
from advkd.auditing.order import Audit, Subject
from advkd.auditing.targets import opened
from advkd.auditing.verdict import Verdict
from advkd.config.case import Resolved, hash_of
from advkd.data.images import Images, check_box
from advkd.errors import AdvkdError, error
from advkd.evaluation import images_for
from advkd.files import expanded, write_json
from advkd.networks.device import chosen
from advkd.networks.modes import device_of
from advkd.splits import Splits, opened_part, split
from advkd.training.folder import EXAMPLES, RESULT, RUN, check_held_out, created, locked
from advkd.types import Threat, silent


def judged(case: Resolved, out: str | Path | None = None, progress: Progress = silent) -> Verdict:
    """Audits what a case says and leaves a folder; the same case goes on where it was stopped."""
    folder = expanded(out) if out else case_folder(case)
    device = chosen(case.device)
    whole = cache(lambda: split(case.data, case.split))
    images = images_of(case, whole)
    _check_held_out(case, whole)
    check_box(images, case.threat)
    subjects, nets = opened(case, case.data.classes, case.data.shape, device)
    audit = Audit(
        subjects=subjects,
        images=images,
        classes=case.data.classes,
        threat=case.threat,
        plan=case,
        options=case.resolved,
        nets=nets,
        device=device,
        folder=folder,
        report=progress,
    )
    return _left(audit, folder)


def images_of(case: Resolved, whole: Callable[[], Splits]) -> Images:
    """The images of the part that a case judges, of which `limit` takes some; `whole` opens the others."""
    return opened_part(case.data, "test", case.split) if case.part == "test" else whole().validation


def _check_held_out(case: Resolved, whole: Callable[[], Splits]) -> None:
    """Raises where the run that is judged may have learned from the images."""

    def marks() -> Mapping[str, str]:
        try:
            return whole().marks
        except AdvkdError:
            # the test images alone are at hand
            return {}

    check_held_out(Path(case.target), "target", case.resolved, marks)


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
    """A verdict for a network in Python, as `advkd.audit` describes it."""
    plan, dump = planned(suite, options)
    device = device_of(net)
    images, classes = images_for(net, data, device)
    check_box(images, threat)
    folder = expanded(out) if out else None
    others = {name: other.to(device) for name, other in (nets or {}).items()}
    subjects = [Subject("model", net)]
    if "teacher" in others:
        subjects.append(Subject("teacher", others["teacher"]))
    whole = Audit(
        subjects=subjects,
        images=images,
        classes=classes,
        threat=threat,
        plan=plan,
        options={**dump, "threat": vars(threat)},
        nets=others,
        device=device,
        folder=folder,
    )
    return _left(whole, folder)


def _left(audit: Audit, folder: Path | None) -> Verdict:
    if folder is None:
        return audited(audit)
    if (folder / RUN).exists():
        raise error("out", "is the folder of a run", given=folder, remedy="choose another out=DIR")
    if (folder / RESULT).exists() and not (folder / EXAMPLES).exists():
        problem = "holds a result that is not from an audit"
        raise error("out", problem, given=folder, remedy="choose another out=DIR")
    with locked(created(folder)):
        verdict = audited(audit)
        write_json(folder / RESULT, verdict.about)
    return verdict


def case_folder(case: Resolved) -> Path:
    """Where the audit of a case goes: into the folder of its run, else into `evals/`."""
    target = expanded(case.target)
    if (target / RUN).is_file():
        return target / "eval" / f"{case.suite}-{case.hash}"
    whole = hash_of({"of": case.target, "how": case.hash})
    return Path("evals") / f"{target.stem.replace(':', '-')}-{case.suite}-{whole}"
