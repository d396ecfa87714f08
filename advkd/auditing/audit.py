"""The audit itself: admission, probes, the suite in its order, curves, flags."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from advkd.auditing import curves
from advkd.auditing.admission import admit, fitting_batch
from advkd.auditing.bench import Bench, OutOfTime
from advkd.auditing.doubt import attack_flags, network_flags
from advkd.auditing.ledger import Entry, Ledger
from advkd.auditing.probe import Flag, Probe, left_in_train_mode
from advkd.auditing.scope import left_out, skipped
from advkd.auditing.search import Searches, engine_for
from advkd.auditing.verdict import CLEAN, Row, Verdict
from advkd.config.case import Plan, hash_of, seconds
from advkd.cost import peak_memory_mb
from advkd.data.images import Images
from advkd.data.split import limited
from advkd.device import environment
from advkd.engine import Engine
from advkd.fingerprints import data_fingerprint, fingerprint
from advkd.modes import logits_of
from advkd.registry import load
from advkd.streams import streams
from advkd.types import Batch, Threat

PROBED = 64


@dataclass(frozen=True)
class Subject:
    """A network to judge; `record` is what its file says of its validation."""

    who: str
    net: nn.Module
    record: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Audit:
    """Everything one audit needs; the first subject is the one judged, `nets` are what attacks may ask."""

    subjects: Sequence[Subject]
    images: Images
    classes: int
    threat: Threat
    plan: Plan
    options: Mapping[str, Any]
    nets: Mapping[str, nn.Module] = field(default_factory=dict)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    folder: Path | None = None
    report: Callable[[str, str, Entry], None] = lambda who, name, entry: None  # noqa: ARG005

    def run(self) -> Verdict:
        """Judges every subject, going on from what the folder holds."""
        begin = time.monotonic()
        rows = limited(self.images.y, self.plan.limit, self.plan.seed)
        images = self.images.subset(rows)
        bench = self._bench(images, begin)
        judged = _Judged(self, bench, images)
        try:
            for step in judged.steps():
                step()
        except OutOfTime:
            judged.complete = False
        if judged.complete:
            bench.ledger.join_images()
        spent = list(bench.ledger.entries.values())
        return Verdict(
            rows=judged.rows(),
            threat=str(self.threat),
            suite=self.plan.suite,
            flags=judged.flags(),
            points=judged.points,
            not_tried=left_out(self.plan, self.threat, judged.skipped, judged.complete),
            complete=judged.complete,
            cost={
                "seconds": round(sum(entry.seconds for entry in spent), 3),
                "forwards": sum(entry.forwards for entry in spent),
                "backwards": sum(entry.backwards for entry in spent),
                "peak_memory_mb": peak_memory_mb(),
                "batch_size": bench.batch_size,
                "engine": bench.ledger.about["engine"],
            },
            environment=environment(self.device),
            agreement=judged.agreement(),
            options=self.options,
            folder=self.folder,
        )

    def _bench(self, images: Images, begin: float) -> Bench:
        first = self.subjects[0]
        size = self.plan.batch_size or fitting_batch(first.net, first.who, images, self.device)
        for subject in self.subjects:
            admit(subject.net, subject.who, images, self.classes, size, self.device)
        engine = engine_for(first.net, self.plan, images.shape, self.classes, len(images))
        about = {
            "images": data_fingerprint(images.x, images.y),
            "nets": {subject.who: fingerprint(subject.net) for subject in self.subjects},
            "plan": hash_of(self.options),
            "batch_size": size,
            "engine": engine.about,
        }
        ledger = Ledger(len(images), about, self.folder)
        budget = seconds(self.plan.budget)
        few = images.batch(torch.arange(min(PROBED, len(images))))
        few = Batch(few.x.to(self.device), few.y.to(self.device))
        return Bench(
            images=images,
            threat=self.threat,
            ledger=ledger,
            batch_size=ledger.about["batch_size"],
            nets=self.nets,
            device=self.device,
            seed=self.plan.seed,
            deadline=None if budget is None else begin + budget,
            keep_images=self.plan.save == "images",
            searched=Searches(Engine(**ledger.about["engine"]), few),
            report=self.report,
        )


class _Judged:
    """What one run of an audit collects."""

    def __init__(self, audit: Audit, bench: Bench, images: Images) -> None:
        self.audit, self.bench, self.images = audit, bench, images
        self.main = audit.subjects[0]
        self.training = left_in_train_mode(self.main.net)
        self.prints = bench.ledger.about["nets"]
        self.points: list[curves.Point] = []
        self.found: list[Flag] = []
        self.skipped: list[str] = []
        self.complete, self.blind = True, False

    def steps(self) -> Iterator[Callable[[], None]]:
        """The parts of an audit in their order: everybody clean, the judged network in full, the others."""
        for subject in self.audit.subjects:
            yield partial(self._clean, subject)
        yield self._probe
        yield partial(self._suite, self.main)
        yield self._curves
        for subject in self.audit.subjects[1:]:
            if self.prints[subject.who] != self.prints[self.main.who]:
                yield partial(self._suite, subject)

    def _clean(self, subject: Subject) -> None:
        everything = torch.arange(len(self.images))
        self.bench.attack(subject.who, subject.net, CLEAN, load("evaluators", CLEAN)(), everything)

    def _probe(self) -> None:
        right = self._entries(self.main)[CLEAN].right
        rows = right.nonzero().squeeze(1)[:PROBED]
        if not len(rows):
            rows = torch.arange(min(PROBED, len(right)))
        probe = Probe(
            net=self.main.net,
            batch=self.bench.batch(rows),
            threat=self.audit.threat,
            clean=right.double().mean().item(),
            n=len(right),
            record=self.main.record,
            training=self.training,
        )
        self.found = list(network_flags(probe))
        self.blind = probe.gradient("margin") is None

    def _suite(self, subject: Subject) -> None:
        plan, standing = self.audit.plan, self._entries(subject)[CLEAN].right
        everything = torch.arange(len(standing))
        for key, evaluator in plan.evaluators.items():
            name = evaluator.named(self.audit.classes) if hasattr(evaluator, "named") else key
            reason = skipped(evaluator, self._nets(subject), self.blind)
            if reason:
                self._skip(f"{name} on the {subject.who}: {reason}")
                continue
            all_of_them = getattr(evaluator, "whole", False) or not plan.cascade
            rows = everything if all_of_them else standing.nonzero().squeeze(1)
            rows = self._limited(rows, key, subject.who)
            entry = self.bench.attack(subject.who, subject.net, name, evaluator, rows)
            standing = standing & ~entry.broken

    def _nets(self, subject: Subject) -> set[str]:
        own = self.prints[subject.who]
        return {name for name, net in self.audit.nets.items() if fingerprint(net) != own}

    def _limited(self, rows: Tensor, key: str, who: str) -> Tensor:
        most = self.audit.plan.subset.get(key, len(rows))
        if most >= len(rows):
            return rows
        self._skip(f"{key} on {len(rows) - most} of {len(rows)} images that stood ({who})")
        chosen = torch.randperm(len(rows), generator=streams(self.audit.plan.seed)("subset", key))
        return rows[chosen[:most].sort().values]

    def _skip(self, what: str) -> None:
        if what not in self.skipped:
            self.skipped.append(what)

    def _curves(self) -> None:
        how = self.audit.plan.curves
        if self.blind or self.audit.threat.eps == 0 or not how.images:
            self._skip("sanity curves")
            return
        rows = limited(self.images.y, max(how.images, self.audit.classes), self.audit.plan.seed)
        self.points = curves.drawn(self.bench, self.main.net, how, rows, 1 / self.audit.classes)

    def _entries(self, subject: Subject) -> dict[str, Entry]:
        same = self.prints[subject.who] == self.prints[self.main.who]
        return self.bench.ledger.of(self.main.who if same else subject.who)

    def rows(self) -> dict[str, Row]:
        """The row of every subject that was judged at all."""
        return {
            subject.who: Row(entries=entries, y=self.images.y, classes=self.audit.classes)
            for subject in self.audit.subjects
            if CLEAN in (entries := self._entries(subject))
        }

    def flags(self) -> list[Flag]:
        """Every reason to doubt the judged network's number; none where nothing was attacked."""
        if self.audit.threat.eps == 0:
            return self.found
        entries = self._entries(self.main)
        chance = 1 / self.audit.classes
        suite = self.audit.plan.evaluators
        return [*self.found, *attack_flags(self.points, entries, suite, chance)]

    def agreement(self) -> dict[str, float]:
        """How often teacher and judged network answer alike when clean, and meet the same fate."""
        teacher = self.audit.nets.get("teacher")
        who = next((s.who for s in self.audit.subjects if s.net is teacher), None)
        if teacher is None or who is None or who == self.main.who:
            return {}
        same = [
            (logits_of(teacher, x).argmax(1) == logits_of(self.main.net, x).argmax(1)).cpu()
            for part in torch.split(torch.arange(len(self.images)), self.bench.batch_size)
            for x in [self.bench.batch(part).x]
        ]
        rows = self.rows()
        fate = rows[self.main.who].survivors == rows[who].survivors
        return {"clean": torch.cat(same).double().mean().item(), "robust": fate.double().mean().item()}
