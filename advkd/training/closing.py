"""The last act of a run: its students and its teacher under the attacks it names."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from torch import nn

from advkd.config.run import Run
from advkd.data.images import Images
from advkd.errors import AdvkdError
from advkd.evaluation import evaluate
from advkd.networks import weights
from advkd.result import Result
from advkd.splits import Splits
from advkd.training.checkpoint import BEST, LAST
from advkd.walk import CutOffError

log = logging.getLogger("advkd")


def images_to_judge(run: Run, splits: Splits, folder: Path) -> Images:
    """The test images; those of validation where a run without evaluation is judged by somebody else.

    Raises `AdvkdError`, which says how to go on once the test images are repaired.
    """
    if not run.evaluation:
        return splits.validation
    try:
        return splits.test()
    except AdvkdError as cause:
        again = f"the training is kept, and once the images are repaired resume={folder} goes on"
        told = [replace(p, remedy="; ".join(filter(None, (p.remedy, again)))) for p in cause.problems]
        raise AdvkdError(*told) from cause


def judge_all(run: Run, nets: Mapping[str, nn.Module], images: Images, folder: Path) -> Result:
    """The student of the best epoch under the attacks of a run; with it that of the last, and the teacher.

    A teacher that passes no gradient has no row. Raises `AdvkdError`.
    """
    found = {}
    for name, file in (("last", LAST), ("best", BEST)):
        state, _ = weights.read(folder / file, "evaluation")
        nets["student"].load_state_dict(state)
        found[name] = evaluate(
            nets["student"], images, run.threat, run.evaluation, batch_size=run.eval_batch_size
        )
    return replace(found["best"], last=found["last"], teacher=_teacher_judged(run, nets, images))


def _teacher_judged(run: Run, nets: Mapping[str, nn.Module], images: Images) -> Result | None:
    if "teacher" not in nets:
        return None
    try:
        return evaluate(nets["teacher"], images, run.threat, run.evaluation, batch_size=run.eval_batch_size)
    except CutOffError:
        log.warning("the teacher is not judged: it passes no gradient; advkd eval skips what needs one")
        return None
