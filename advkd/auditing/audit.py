"""The audit itself: admission, probes, the suite in its order, curves, flags."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

from advkd.admission import admit, fitting_batch
from advkd.auditing import curves
from advkd.auditing.bench import Bench, OutOfTime
from advkd.auditing.doubt import attack_flags, network_flags
from advkd.auditing.ledger import Ledger, LedgerEntry
from advkd.auditing.likeness import Likeness
from advkd.auditing.marks import marked
from advkd.auditing.order import Audit, Subject
from advkd.auditing.probe import Flag, Probe, left_in_train_mode
from advkd.auditing.scope import left_out, skipped
from advkd.auditing.search import Searches, engine_for
from advkd.auditing.verdict import Standing, Verdict
from advkd.config.case import hash_of, seconds
from advkd.config.entries import CLEAN, entry_names
from advkd.data.images import Images
from advkd.data.split import limited, spread
from advkd.fingerprints import data_fingerprint
from advkd.networks.cost import peak_memory_mb, restart_peak
from advkd.networks.device import environment
from advkd.networks.engine import Engine, asked_for
from advkd.networks.modes import buffers_kept, full_float32
from advkd.registry import load
from advkd.streams import streams
from advkd.training.folder import CODE
from advkd.training.gate import guessing
from advkd.training.member_code import code_of_members

PROBED = 64


def audited(audit: Audit) -> Verdict:
    """Judges every subject, going on from what the folder holds; every network is left as found."""
    restart_peak(audit.device)
    with buffers_kept(*audit.named.values()), full_float32():
        return _audited(audit)


def _audited(audit: Audit) -> Verdict:
    begin = time.monotonic()
    rows = limited(audit.images.y, audit.plan.limit, audit.plan.seed)
    images = audit.images.subset(rows)
    bench = _bench(audit, images, begin)
    judged = _Judged(audit, bench, images)
    try:
        for step in judged.steps():
            step()
    except OutOfTime:
        judged.in_time = False
    if judged.in_time:
        bench.ledger.join_images()
    return Verdict(
        rows=judged.rows(),
        threat=str(audit.threat),
        suite=audit.plan.suite,
        flags=judged.flags(),
        points=judged.points,
        not_tried=left_out(audit.plan, audit.threat, judged.skipped, judged.in_time),
        cost={
            **bench.ledger.spent,
            "peak_memory_mb": peak_memory_mb(audit.device),
            "batch_size": bench.batch_size,
            "engine": judged.engine(),
        },
        environment=environment(audit.device),
        agreement=judged.agreement(),
        options=audit.options,
        folder=audit.folder,
    )


def _bench(audit: Audit, images: Images, begin: float) -> Bench:
    first = audit.subjects[0]
    fitting = (fitting_batch(net, who, images, audit.device) for who, net in audit.named.items())
    size = audit.plan.batch_size or min(fitting)
    for subject in audit.subjects:
        admit(subject.net, subject.who, images, audit.classes, size, audit.device)
    n = min(PROBED, size, len(images))
    some = images.subset(torch.arange(n))
    for name, net in audit.nets.items():
        if net not in [subject.net for subject in audit.subjects]:
            admit(net, f"nets.{name}", some, audit.classes, size, audit.device)
    firsts = some.batch(torch.arange(n)).to(audit.device)
    engine = engine_for(first.net, audit.plan, images.shape, audit.classes, len(images))
    about = {
        "images": data_fingerprint(images.x, images.y),
        "nets": {name: mark.about for name, mark in marked(audit.named, firsts.x).items()},
        "plan": hash_of(audit.options),
        "batch_size": size,
        "engine": engine.about,
    }
    about |= {CODE: code} if (code := code_of_members([*audit.plan.evaluators.values()])) else {}
    ledger = Ledger(len(images), about, audit.folder, asked_for(audit.plan.compile, audit.plan.precision))
    few = images.batch(spread(images.y, n, audit.plan.seed)).to(audit.device)
    budget = seconds(audit.plan.budget)
    searches = Searches(Engine(**ledger.about["engine"]), few)
    return Bench(
        images=images,
        threat=audit.threat,
        ledger=ledger,
        batch_size=ledger.about["batch_size"],
        nets=audit.nets,
        device=audit.device,
        seed=audit.plan.seed,
        deadline=None if budget is None else begin + budget,
        keep_images=audit.plan.save == "images",
        searched=searches,
        refused=searches.refused,
        report=audit.report,
    )


class _Judged:
    """What one run of an audit collects."""

    def __init__(self, audit: Audit, bench: Bench, images: Images) -> None:
        self.audit, self.bench, self.images = audit, bench, images
        self.main = audit.subjects[0]
        self.training = left_in_train_mode(self.main.net)
        some = bench.batch(spread(images.y, PROBED, audit.plan.seed))
        self.like = Likeness(audit.named, bench.ledger.about["nets"], some, bench.batch_size)
        self.chance = guessing(images.y)
        self.names = entry_names(audit.plan.evaluators, audit.classes)
        self.points: list[curves.Point] = []
        self.found: list[Flag] = []
        self.skipped: list[str] = []
        self.in_time = True

    def steps(self) -> Iterator[Callable[[], None]]:
        """The parts of an audit in their order: everybody clean, the judged network in full, the others."""
        for subject in self.audit.subjects:
            yield partial(self._clean, subject)
        yield self._probe
        yield partial(self._suite, self.main)
        yield self._curves
        for subject in self.audit.subjects[1:]:
            if not self.like.same(subject.who, self.main.who):
                yield partial(self._suite, subject)

    def _clean(self, subject: Subject) -> None:
        everything = torch.arange(len(self.images))
        self.bench.attack(subject.who, subject.net, CLEAN, load("evaluators", CLEAN)(), everything)

    def _probe(self) -> None:
        right = self._entries(self.main)[CLEAN].right
        rows = right.nonzero().squeeze(1) if right.any() else torch.arange(len(right))
        rows = rows[spread(self.images.y[rows], PROBED, self.audit.plan.seed)]
        probe = Probe(
            net=self.main.net,
            batch=self.bench.batch(rows),
            size=self.bench.batch_size,
            threat=self.audit.threat,
            clean=right.double().mean().item(),
            chance=self.chance,
            n=len(right),
            record=self.main.record,
            training=self.training,
        )
        self.found = list(network_flags(probe))

    def _suite(self, subject: Subject) -> None:
        plan, standing = self.audit.plan, self._entries(subject)[CLEAN].right
        everything = torch.arange(len(standing))
        for key, name in self.names.items():
            evaluator = plan.evaluators[key]
            reason = skipped(evaluator, subject.who, self._nets(subject), self.like.blind)
            if reason:
                self._skip(f"{name} on the {subject.who}: {reason}")
                continue
            all_of_them = getattr(evaluator, "whole", False) or not plan.cascade
            rows = everything if all_of_them else standing.nonzero().squeeze(1)
            rows = self._limited(rows, key, subject.who)
            entry = self.bench.attack(subject.who, subject.net, name, evaluator, rows)
            standing = standing & ~entry.broken

    def _nets(self, subject: Subject) -> set[str]:
        return {name for name in self.audit.nets if not self.like.same(f"nets.{name}", subject.who)}

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
        if self.like.blind(self.main.who) or self.audit.threat.eps == 0 or not how.images:
            self._skip("sanity curves")
            return
        rows = limited(self.images.y, max(how.images, self.audit.classes), self.audit.plan.seed)
        self.points = curves.drawn(self.bench, self.main.net, how, rows, self.chance)

    def _entries(self, subject: Subject) -> dict[str, LedgerEntry]:
        same = self.like.same(subject.who, self.main.who)
        return self.bench.ledger.of(self.main.who if same else subject.who)

    def rows(self) -> dict[str, Standing]:
        """The row of every subject that was judged at all."""
        known = {subject.who: self._entries(subject) for subject in self.audit.subjects}
        return {who: self._row(entries) for who, entries in known.items() if CLEAN in entries}

    def _row(self, entries: dict[str, LedgerEntry]) -> Standing:
        attacked = any(entry.done for name, entry in entries.items() if name != CLEAN)
        complete = self.in_time and (attacked or self.audit.threat.eps == 0)
        return Standing(entries=entries, y=self.images.y, classes=self.audit.classes, complete=complete)

    def flags(self) -> list[Flag]:
        """Every reason to doubt the judged network's number; none where nothing was attacked."""
        if self.audit.threat.eps == 0:
            return self.found
        entries = self._entries(self.main)
        suite = {name: self.audit.plan.evaluators[key] for key, name in self.names.items()}
        return [*self.found, *attack_flags(self.points, entries, suite, self.chance)]

    def engine(self) -> dict[str, bool]:
        """How attacks of the judged network were searched: in plain float32 where its twin was refused."""
        about: dict[str, bool] = self.bench.ledger.about["engine"]
        return Engine().about if any(one.refused for one in self._entries(self.main).values()) else about

    def agreement(self) -> dict[str, float]:
        """How often teacher and judged network answer alike when clean, and meet the same fate."""
        teacher = self.audit.nets.get("teacher")
        who = next((s.who for s in self.audit.subjects if s.net is teacher), None)
        if teacher is None or who is None or who == self.main.who:
            return {}
        found = {CLEAN: self.bench.alike(teacher, self.main.net)}
        rows = self.rows()
        whole = [rows[of].survivors for of in (who, self.main.who) if of in rows and rows[of].complete]
        if len(whole) == 2:
            found["robust"] = (whole[0] == whole[1]).double().mean().item()
        return found
