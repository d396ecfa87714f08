"""Averages of the weights a student goes through (`ema`, `swa`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, get_swa_avg_fn, update_bn

from advkd.errors import error
from advkd.step import Step
from advkd.types import Real


@dataclass(frozen=True, kw_only=True)
class Average:
    """What averages of a student share: they are saved, and stand in for it once there is one."""

    _kept: nn.ModuleDict = field(default_factory=nn.ModuleDict, init=False, repr=False, compare=False)

    @property
    def average(self) -> AveragedModel:
        """The average, with a count of what went into it."""
        found = self._kept["average"]
        assert isinstance(found, AveragedModel)
        return found

    def modules(self) -> Mapping[str, nn.Module]:
        """What is saved with a checkpoint."""
        return dict(self._kept)

    def weights(self) -> Mapping[str, Tensor] | None:
        """The state of the average; None while nothing is in it."""
        return self.average.module.state_dict() if self.average.n_averaged else None


@dataclass(frozen=True, kw_only=True)
class EMA(Average):
    """An exponential moving average of weights and buffers, validated and exported for the student.

    After each step it moves toward the student by 1 - min(decay, (1 + n) / (10 + n)), n being the steps
    it has seen. The first it takes whole, so initial weights have no share. BatchNorm statistics are
    averaged like the weights they were measured with.

    Source: Polyak and Juditsky, SIAM J. Control Optim. 1992; the rise of the decay is TensorFlow's.
    Against robust overfitting: Rebuffi et al., NeurIPS 2021 (arXiv 2111.05328).
    """

    decay: Real = 0.999

    def __post_init__(self) -> None:
        if not 0 <= self.decay < 1:
            raise error("decay", "from 0 to below 1", given=self.decay)

    def build(self, student: nn.Module) -> None:
        """Makes room for the average."""
        self._kept["average"] = AveragedModel(student, multi_avg_fn=self._move, use_buffers=True)

    def after_step(self, student: nn.Module, step: Step) -> None:  # noqa: ARG002
        """The average moves toward the student."""
        self.average.update_parameters(student)

    def _move(self, mine: Sequence[Tensor], new: Sequence[Tensor], seen: Tensor | int) -> None:
        n = int(seen)
        move = get_ema_multi_avg_fn(min(self.decay, (1 + n) / (10 + n)))  # type: ignore[no-untyped-call]
        move(mine, new, n)


@dataclass(frozen=True, kw_only=True)
class SWA(Average):
    """The mean of the weights at the end of each epoch, validated and exported for the student.

    Averages the epochs that end after the fraction `since` of training, always the last one; before it the
    student stands for itself. BatchNorm `statistics` are those of the epochs, `averaged` like the weights,
    or measured anew after each epoch: the mean, in equal shares, over the batches of one pass through the
    epoch's training images, `clean` and not augmented, which is no part of the images counted in `cost`.
    Students that learned from attacked images have met other statistics than those of clean ones.

    Source: Izmailov et al., UAI 2018 (arXiv 1803.05407), who start at 3/4. Published code of adversarial
    distillation measures on clean images, augmented ones.
    """

    since: Real = 3 / 4
    statistics: Literal["averaged", "clean"] = "averaged"

    def __post_init__(self) -> None:
        if not 0 <= self.since < 1:
            raise error("since", "a fraction of training, from 0 to below 1", given=self.since)

    def build(self, student: nn.Module) -> None:
        """Makes room for the average."""
        # torch's own choice on GPUs divides the integers among the buffers, which it then refuses
        mean = get_swa_avg_fn()  # type: ignore[no-untyped-call]
        buffers = self.statistics == "averaged"
        self._kept["average"] = AveragedModel(student, avg_fn=mean, use_buffers=buffers)

    def epoch_end(self, student: nn.Module, images: Callable[[], Iterable[Tensor]], progress: float) -> None:
        """The epoch enters the mean."""
        if progress > self.since:
            self.average.update_parameters(student)
            if self.statistics == "clean":
                update_bn(images(), self.average)
