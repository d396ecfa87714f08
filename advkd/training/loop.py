"""The training loop: steps, validation, the best student kept, a checkpoint after every epoch."""

from __future__ import annotations

import copy
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from advkd.augment import Augment
from advkd.config.run import Run
from advkd.data.images import Images, check_box
from advkd.errors import error
from advkd.evaluation import evaluate
from advkd.guards import check_finite, check_paths
from advkd.networks import weights
from advkd.networks.cost import Cost
from advkd.networks.device import within_memory
from advkd.networks.engine import Engine, check_twins, decided, restored
from advkd.networks.modes import device_of
from advkd.protocols import Method, Reporter
from advkd.step import Step
from advkd.streams import global_seed, streams
from advkd.training import checkpoint
from advkd.training.logit_cache import Remembered
from advkd.training.modifier_stack import Modified
from advkd.training.weight_statistics import Weighed
from advkd.types import Batch, Record

PASSES = 36.0
"""Forward passes a training image costs, roughly: ten attack steps and two points, there and back."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What a training works on: networks by name, images, the folder it writes to, who is told."""

    nets: Mapping[str, nn.Module]
    train: Images
    validation: Images
    folder: Path
    report: Reporter
    about: Mapping[str, Any]
    stage: str = "student"


class Training:
    """One training of a student; `fit` runs it to its end or goes on from its checkpoint."""

    def __init__(self, run: Run, setup: Setup) -> None:
        check_box(setup.train, run.threat)
        self.run, self.setup = run, setup
        self.student = setup.nets["student"]
        self.device = device_of(self.student)
        self.method: Method = copy.deepcopy(run.method)
        with global_seed(run.seed, "build"):
            if hasattr(self.method, "build"):
                self.method.build(setup.nets)
        extra = self.method.modules() if hasattr(self.method, "modules") else {}
        self.modules = {
            "student": self.student,
            **{f"method.{k}": m.to(self.device) for k, m in extra.items()},
        }
        passes = PASSES * len(setup.train) * run.epochs
        self._equip(decided(self.student, setup.train.shape, passes, run.compile, run.precision))
        self.streams = streams(run.seed)
        self.steps = max(len(setup.train) // run.batch_size, 1)
        trained = [p for module in self.modules.values() for p in module.parameters() if p.requires_grad]
        self.optimizer = run.optimizer(trained)
        self.scheduler = run.schedule(self.optimizer, self.steps * run.epochs)
        with global_seed(run.seed, "modifiers"):
            self.modified = Modified(run.modifiers, self.modules)
        self.saved = {**self.modules, **self.modified.modules()}
        self.epoch, self.rate = 0, 0.0
        self.path = setup.folder / checkpoint.NAME
        self.option = "teacher.batch_size" if setup.stage == "teacher" else "batch_size"
        self.best: dict[str, float] = {}
        self.weighed = Weighed()

    def fit(self, *, resume: bool = False) -> None:
        """Trains up to the last epoch; the folder then holds the best and the last student."""
        if resume and self.path.exists():
            self._restore()
        sizes = {"steps": self.steps, "batch": self.run.batch_size, "done": self.epoch}
        sizes |= {f"modifier.{name}": 1 for name in self.run.modifiers}
        self._say("train.epochs", self.run.epochs, parts=sizes)
        while self.epoch < self.run.epochs:
            begin = time.perf_counter()
            with self.engine.precise(), within_memory(self.option, self.run.batch_size):
                self._epoch()
                self._epoch_end()
            with self.modified.worn(), within_memory("eval_batch_size", self.run.eval_batch_size):
                self._validate()
            self._say("epoch.seconds", time.perf_counter() - begin)
            self.epoch += 1
            self._save()
        self.optimizer.zero_grad(set_to_none=True)
        for net in self.setup.nets.values():
            # the memory layout of a loaded network, so that results agree to the bit
            net.to(memory_format=torch.contiguous_format)

    def _equip(self, engine: Engine) -> None:
        self.engine = engine
        self.nets = {name: engine(net) for name, net in self.setup.nets.items()}
        self.cost = Cost(self.nets)
        frozen = {name: net for name, net in self.nets.items() if name != "student"}
        self.remembered = Remembered(frozen, self.setup.train, self.run.eval_batch_size)

    def _epoch(self) -> None:
        self.nets["student"].train()
        check_twins(self.nets)
        totals, skipped = Counter[str](), Counter[str]()
        self.weighed = Weighed()
        begin, seconds = self.cost.images, self.cost.seconds
        for index, rows in enumerate(self._order()):
            with self.cost.counting(), global_seed(self.run.seed, "step", self.epoch, index):
                found, missed = self.step(index, rows)
            if index == 0:
                check_twins(self.nets)
            skipped.update(missed)
            totals.update(found)
            self._say("step.loss", sum(found.values()), step=index, parts=found)
        if not totals:
            problem, remedy = "no term counts yet, or there is none", "give one with `since: 0`"
            if skipped:
                problem, remedy = "every branch was skipped at every step", "advkd check path NAME"
            raise error(f"epoch {self.epoch + 1}", problem, given=dict(skipped) or "", remedy=remedy)
        means = {name: value / self.steps for name, value in totals.items()}
        rate = (self.cost.images - begin) / max(self.cost.seconds - seconds, 1e-9)
        self._say("train.loss", sum(means.values()), parts=means)
        self._say("train.images_per_second", rate)
        self._say("train.lr", self.rate)
        for branch, count in skipped.items():
            self._say(f"train.skipped.{branch}", count, n=self.steps)
        for term, points, counting in self.weighed.means():
            parts = {str(k): value for k, value in enumerate(points)}
            self._say(f"train.weight.{term}", sum(points), parts=parts)
            self._say(f"train.points.{term}", counting)

    def step(self, index: int, rows: Tensor) -> tuple[dict[str, float], list[str]]:
        """One step on the training images at `rows` (B,): its loss by part, and the branches it skipped."""
        batch = self._batch(rows, index)
        step = self._surroundings(index, batch, rows)
        self.optimizer.zero_grad(set_to_none=True)
        paths = self.method.paths(batch, step)
        when = f"epoch {self.epoch + 1}, step {index + 1}"
        check_paths(paths, batch, self.run.threat, when, whole=index == 0)
        found = self.modified.backward(self.method, paths, batch, step)
        check_finite(found, when, trained=bool(self.epoch or index))
        self.rate = self.optimizer.param_groups[0]["lr"]
        self.optimizer.step()
        self.scheduler.step()
        self.modified.after_step(step)
        self.cost.images += len(batch.x)
        return found, [name for name, path in paths.items() if path is None]

    def _epoch_end(self) -> None:
        def images() -> Iterator[Tensor]:
            return (self.setup.train.batch(rows).x.to(self.device) for rows in self._order())

        with self.cost.counting(), global_seed(self.run.seed, "epoch end", self.epoch):
            self.modified.epoch_end(images, (self.epoch + 1) / self.run.epochs)

    def _order(self) -> tuple[Tensor, ...]:
        size = self.run.batch_size
        order = torch.randperm(len(self.setup.train), generator=self.streams("order", self.epoch))
        return torch.split(order[: self.steps * size], size)

    def _batch(self, rows: Tensor, index: int) -> Batch:
        batch = self.setup.train.batch(rows)
        x, y = batch.x.to(self.device), batch.y.to(self.device)
        x = self.run.augment(x, self.streams("augment", self.epoch, index))
        # a crop pads with zeros, which may lie below the box
        return Batch(x.clamp(*self.run.threat.box), y)

    def _surroundings(self, index: int, batch: Batch, rows: Tensor) -> Step:
        def clean(net: str, x: Tensor) -> Tensor | None:
            known = self.run.augment == Augment() and torch.equal(x, batch.x)
            return self.remembered(net, rows) if known else None

        done = (self.epoch * self.steps + index) / (self.run.epochs * self.steps)
        return Step(
            nets=self.nets,
            threat=self.run.threat,
            streams=self.streams,
            epoch=self.epoch,
            index=index,
            progress=done,
            clean=clean,
            weighed=self.weighed,
        )

    def _validate(self) -> None:
        result = evaluate(
            self.student,
            self.setup.validation,
            self.run.threat,
            # an attack called `clean` is none, and then the best student is the best on clean images
            {self.run.resolved["validation"]["use"]: self.run.validation},
            batch_size=self.run.eval_batch_size,
        )
        now = {"clean": result.clean, "robust": result.robust, "n": result.n, "epoch": self.epoch + 1}
        if not self.best or (now["robust"], now["clean"]) > (self.best["robust"], self.best["clean"]):
            self.best = now
            self._write(checkpoint.BEST, now)
        known = {"clean": result.clean} | ({"robust": result.robust} if result.attacks else {})
        for name, value in known.items():
            self._say(f"validation.{name}", value, n=result.n, interval=result.interval[name])

    def _save(self) -> None:
        about = {
            "epoch": self.epoch,
            "best": self.best,
            "cost": self.cost.state(),
            "remembered": self.remembered.names,
            "engine": self.engine.about,
            "hash": self.run.hash,
            "seed": self.run.seed,
        }
        if self.epoch == self.run.epochs:
            with self.modified.worn():
                self._write(checkpoint.LAST, {"epoch": self.epoch})
        checkpoint.save(self.path, self.saved, self.optimizer, self.scheduler, about)

    def _restore(self) -> None:
        about = checkpoint.restore(self.path, self.saved, self.optimizer, self.scheduler)
        if (about["hash"], about["seed"]) != (self.run.hash, self.run.seed):
            raise error("resume", "the checkpoint belongs to another configuration", given=self.path)
        self._equip(restored(about["engine"], self.device))
        self.epoch, self.best = about["epoch"], about["best"]
        self.cost.load(about["cost"])
        # outside of what is counted: the pass was paid for before
        with self.engine.precise():
            self.remembered.recall(about.get("remembered", ()))

    def _write(self, name: str, validation: Mapping[str, float]) -> None:
        about = {**self.setup.about, "validation": dict(validation), "engine": self.engine.about}
        weights.write(self.setup.folder / name, self.student.state_dict(), about)

    def _say(self, name: str, value: float, **more: Any) -> None:
        self.setup.report(Record(name=name, value=value, epoch=self.epoch, stage=self.setup.stage, **more))
