"""What a run will cost, from a few of its own training steps: operations by torch's counter, seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from advkd.config.run import Run
from advkd.data.split import spread
from advkd.networks.device import chosen
from advkd.networks.engine import flops_of
from advkd.splits import Splits, split
from advkd.streams import global_seed
from advkd.training.loop import Setup, Training
from advkd.types import silent

PHASES = 10
"""Parts of training that are told apart: a term may be switched on late."""

BATCH = 16
"""Images per counted step; the operations of an image do not depend on their number."""


@dataclass(frozen=True)
class Estimate:
    """Of one run: operations of student and teacher together, `once` and every epoch; training seconds."""

    once: float
    epoch: float
    epochs: int
    seconds: float

    @property
    def flops(self) -> float:
        """Floating point operations of the whole training, validation aside."""
        return self.once + self.epochs * self.epoch


def estimated(run: Run, splits: Splits, *, timed: bool) -> Estimate:
    """The cost of a run: a counted step of each part of it and, if `timed`, two at full size on this machine.

    The networks are untrained ones of the right kind: what a step costs does not depend on weights.
    """
    size = min(run.batch_size, len(splits.train))
    few = min(BATCH, size)
    # each phase is asked at its middle, an odd epoch of twice as many
    counted = _training(replace(run, epochs=2 * PHASES, batch_size=few), splits, few)

    @cache
    def flops(phase: int) -> int:
        counted.epoch, counter = 2 * phase + 1, _counter()
        with global_seed("estimate"), counter:
            counted.step(0, torch.arange(few))
        return int(counter.get_total_flops())

    # uncounted, as answers that are remembered from here on are asked for once in a training
    flops(PHASES - 1)
    flops.cache_clear()
    asked = [flops_of(counted.nets[name], splits.shape, counted.device) for name in counted.remembered.names]
    return Estimate(
        once=sum(asked) * len(splits.train),
        epoch=_summed(flops, 0, PHASES - 1) / few / PHASES * (len(splits.train) // size * size),
        epochs=run.epochs,
        seconds=_seconds(run, splits, size) if timed else 0.0,
    )


def _summed(flops: Callable[[int], int], first: int, last: int) -> int:
    """The sum over phases; what is switched on stays on, so where both ends agree so does all between."""
    if flops(first) == flops(last):
        return (last - first + 1) * flops(first)
    middle = (first + last) // 2
    return _summed(flops, first, middle) + _summed(flops, middle + 1, last)


def lengthened(runs: Mapping[str, Run]) -> dict[str, tuple[int, float]]:
    """By label, the whole epochs that come closest to what the first run spends, and their part of that."""
    costs = estimates(runs, timed=False)
    budget = next(iter(costs.values())).flops
    found = {}
    for label, cost in costs.items():
        epochs = max(round((budget - cost.once) / cost.epoch), 1)
        found[label] = epochs, replace(cost, epochs=epochs).flops / budget
    return found


def estimates(runs: Mapping[str, Run], *, timed: bool = True) -> dict[str, Estimate]:
    """The cost of runs in one setting, by label."""
    first = next(iter(runs.values()))
    splits = split(first.data, first.split)
    return {label: estimated(run, splits, timed=timed) for label, run in runs.items()}


class _Whole:
    """Stands for torch's tracker of modules: all operations belong to the whole."""

    parents = ("Global",)

    def __enter__(self) -> None:
        """Nothing to watch."""

    def __exit__(self, *of: object) -> None:
        """Nothing to end."""


def _counter() -> FlopCounterMode:
    counter = FlopCounterMode(display=False)
    # its own tracker hooks the inputs of modules, which torch refuses where an attack differentiates one
    counter.mod_tracker = _Whole()  # type: ignore[assignment]
    return counter


def _seconds(run: Run, splits: Splits, size: int) -> float:
    training = _training(run, splits, size)
    spent = []
    for index in range(2):
        begin = time.perf_counter()
        with training.engine.precise(), global_seed("estimate"):
            training.step(index, torch.arange(size))
        spent.append(time.perf_counter() - begin)
    return min(spent) * training.run.epochs * (len(splits.train) // size)


def _training(run: Run, splits: Splits, size: int) -> Training:
    """A training that only steps: eager float32, on images of many classes, with untrained networks.

    Images often lie class by class, and of one class alone there is no other to aim at.
    """
    few = splits.train.subset(spread(splits.train.y, size, 0))
    with global_seed("estimate"):
        nets: dict[str, nn.Module] = {"student": run.student(splits.classes, splits.shape)}
        if "teacher" in run.nets and run.teacher is not None:
            source = getattr(run.teacher, "model", None) or run.teacher
            nets["teacher"] = source(splits.classes, splits.shape).eval().requires_grad_(False)
    nets = {name: net.to(chosen(run.device)) for name, net in nets.items()}
    setup = Setup(nets=nets, train=few, validation=few, folder=Path(), report=silent, about={})
    training = Training(replace(run, compile="never", precision="float32"), setup)
    training.nets["student"].train()
    return training
