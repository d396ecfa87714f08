"""The configuration of an audit: how to attack (`AuditPlan`), and what (`Case`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from advkd.config.entries import MANY, entry_names
from advkd.config.run import Split
from advkd.errors import at_least_one, error
from advkd.fingerprints import digits
from advkd.networks.engine import Compile, Precision
from advkd.protocols import DataSource, Evaluator, ModelSource
from advkd.types import Part, Real, Threat

UNHASHED = ("target", "budget", "device", "rows", "compile", "precision")
UNITS = {"s": 1, "m": 60, "h": 3600}
EXPLAINED = "docs/evaluation.md, Words, explains them"


@dataclass(frozen=True, kw_only=True)
class Curves:
    """The sanity curves: `images` of the test split, PGD on the margin.

    `eps` are multiples of the threat's; the curve goes on to the width of the box. `steps` and
    `restarts` are the numbers tried at the threat itself.
    """

    images: int = 200
    eps: tuple[Real, ...] = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)
    steps: tuple[int, ...] = (1, 5, 10, 20, 40)
    restarts: tuple[int, ...] = (1, 5)

    def __post_init__(self) -> None:
        if self.images < 0:
            raise error("curves.images", "must not be negative", given=self.images, remedy="0 draws none")
        for eps in self.eps:
            if not eps > 0:
                raise error("curves.eps", "must be above 0", given=eps)
        for name in ("steps", "restarts"):
            at_least_one(**{f"curves.{name}": min(getattr(self, name), default=1)})


@dataclass(frozen=True, kw_only=True)
class AuditPlan:
    """How a network is attacked.

    With `cascade` the evaluators run in their order on what still stands; without it each one runs on
    every example. `subset` limits an evaluator to so many of its examples; `limit` limits them all, by
    a seeded stratified choice. `budget` (`90s`, `10m`, `1h`) ends the audit in time. `save: images` keeps
    the attacked images beside the bits. `batch_size` is found from the memory there is when null.
    `compile` and `precision` say how attacks search; what they find is always confirmed in float32.
    """

    suite: str
    evaluators: Mapping[str, Evaluator]
    cascade: bool = True
    subset: Mapping[str, int] = field(default_factory=dict)
    curves: Curves = field(default_factory=Curves)
    limit: int | None = None
    budget: str | int | None = None
    save: Literal["bits", "images"] = "bits"
    batch_size: int | None = None
    seed: int = 0
    compile: Compile = "auto"
    precision: Precision = "auto"

    def __post_init__(self) -> None:
        seconds(self.budget)
        at_least_one(limit=self.limit, batch_size=self.batch_size)
        for key, most in self.subset.items():
            at_least_one(**{f"subset.{key}": most})
        entry_names(self.evaluators, MANY)


@dataclass(frozen=True, kw_only=True)
class Case(AuditPlan):
    """An `AuditPlan`, and what it is for: a target, the data, the threat, further networks by name.

    `rows` says which networks of a run folder are judged: its best student, its last, its teacher (a
    verdict without the best has a folder of its own);
    `part` on which images, those of the test split if nothing is to be chosen by the verdict.
    """

    target: str
    data: DataSource
    threat: Threat
    split: Split = field(default_factory=Split)
    model: ModelSource | None = None
    teacher: ModelSource | None = None
    nets: Mapping[str, ModelSource] = field(default_factory=dict)
    rows: tuple[Literal["best", "last", "teacher"], ...] = ("best", "last", "teacher")
    part: Part = "test"
    device: str = "auto"


@dataclass(frozen=True, kw_only=True)
class Resolved(Case):
    """A `Case` with `resolved`, the plain values it was built from, all defaults filled in."""

    resolved: Mapping[str, Any]

    @property
    def hash(self) -> str:
        """Eight digits that name how something is judged, whatever it is, its budget and device."""
        return hash_of(self.resolved)


def hash_of(values: Mapping[str, Any]) -> str:
    """Eight digits that name plain values, without what changes no number."""
    kept = {key: value for key, value in values.items() if key not in UNHASHED}
    # another network than the student of the best epoch is judged: not in the place of its verdict
    other = {"rows": sorted({*rows})} if "best" not in (rows := values.get("rows", ["best"])) else {}
    return digits(kept | other)


def seconds(budget: str | int | None) -> float | None:
    """A length of time written as `90s`, `10m` or `1h`."""
    if budget is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh])", str(budget).strip())
    if found is None:
        raise error("budget", "is not a duration", given=budget, remedy="write 90s, 10m or 1h")
    return float(found[1]) * UNITS[found[2]]
