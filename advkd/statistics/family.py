"""What both kinds of verdict share: the word, the correction within a family, the images."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from statsmodels.stats.multitest import multipletests

from advkd.errors import error

Bits = Mapping[int, NDArray[np.bool_]]
"""Seed -> (n,) bool: which test images the student of that seed gets right, in one order for all."""


@dataclass(frozen=True, kw_only=True)
class PairVerdict:
    """`a` against `b` on `n` images: one of the `comparisons` tested together as `family`.

    `difference` is the accuracy of `a` minus that of `b`, -1..1. `p_holm` is `p` corrected within the
    family and what `alpha` is held against. They are None where there is nothing to take them from.
    """

    a: str
    b: str
    n: int
    family: str
    alpha: float
    difference: float | None = None
    p: float | None = None
    p_holm: float | None = None
    comparisons: int = 0

    @property
    def verdict(self) -> str:
        """What `a` is beside `b`: `better`, `worse`, `not distinguishable`, or `not tested` without a p."""
        if self.p_holm is None or self.difference is None:
            return "not tested"
        if self.p_holm > self.alpha:
            return "not distinguishable"
        return "better" if self.difference > 0 else "worse"

    @property
    def says(self) -> str:
        """The verdict in a sentence or two."""
        raise NotImplementedError

    @property
    def about(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {**asdict(self), "verdict": self.verdict, "says": self.says}

    @property
    def opening(self) -> str:
        """The verdict as the head of a sentence."""
        if self.verdict in ("not distinguishable", "not tested"):
            return f"{self.a} and {self.b} are {self.verdict}"
        return f"{self.a} is {self.verdict} than {self.b}"

    @property
    def chance(self) -> str:
        """The corrected p in words."""
        if self.p_holm is None:
            return "not tested"
        p = f"p = {on_its_side(self.p_holm, self.alpha)}" if self.p_holm >= 1e-4 else "p < 0.0001"
        return p if self.comparisons == 1 else f"{p}, Holm-corrected for {self.comparisons} comparisons"


def on_its_side(p: float, alpha: float) -> str:
    """`p` with two digits, or as many more as it takes to show on which side of `alpha` it lies."""
    for digits in range(2, 8):
        shown = f"{p:.{digits}g}"
        if np.sign(float(shown) - alpha) == np.sign(p - alpha):
            break
    return shown


V = TypeVar("V", bound=PairVerdict)


def holm(verdicts: Sequence[V]) -> list[V]:
    """The verdicts with `p_holm`: those that have a p are the family. Source: Holm, Scand. J. Stat. 1979."""
    p = {i: verdict.p for i, verdict in enumerate(verdicts) if verdict.p is not None}
    if len(p) > 1:
        p = dict(zip(p, multipletests(list(p.values()), method="holm")[1].tolist(), strict=True))
    return [replace(verdict, p_holm=p.get(i), comparisons=len(p)) for i, verdict in enumerate(verdicts)]


def shared(a: Bits, b: Bits) -> tuple[int, ...]:
    """The seeds that both have, in order."""
    return tuple(sorted(a.keys() & b.keys()))


def on_equal_seeds(seeds: Mapping[str, Collection[int]]) -> dict[str, tuple[int, ...]]:
    """The seeds that numbers side by side are taken from, by name: for all the same ones, those all have.

    They are of the most names that share two seeds or more (of several such sets, of those in all of them);
    the rest are left out. Where that is nobody, every one stays, on the seeds all share, or on its own.
    """
    pairs = combinations(sorted(set().union(*seeds.values())), 2)
    sharing = {frozenset(name for name, own in seeds.items() if {*pair} <= {*own}) for pair in pairs}
    most = [names for names in sharing if len(names) == max(map(len, sharing))]
    ranked = frozenset.intersection(*most) if most else frozenset()
    kept = {name: own for name, own in seeds.items() if len(ranked) < 2 or name in ranked}
    return {name: _common(kept) or tuple(sorted(own)) for name, own in kept.items()}


def _common(seeds: Mapping[str, Collection[int]]) -> tuple[int, ...]:
    return tuple(sorted(set.intersection(*map(set, seeds.values())))) if seeds else ()


def same_images(bits: Mapping[str, Bits]) -> int:
    """How many images every result has, 0 without results. AdvkdError where they differ or are no bits."""
    sizes: dict[str, int] = {}
    for name, seeds in bits.items():
        for seed, right in seeds.items():
            place, row = f"{name}, seed {seed}", np.asarray(right)
            if row.dtype != np.bool_ or row.ndim != 1 or not row.size:
                given = f"{row.dtype} of shape {row.shape}"
                raise error(place, "must hold one bool (right or wrong) per test image", given=given)
            sizes[place] = row.size
    first = next(iter(sizes), "")
    for place, size in sizes.items():
        if size != sizes[first]:
            raise error(
                "compare",
                "results from different test images",
                given=f"{sizes[first]} images ({first}) and {size} ({place})",
                remedy="evaluate both on the same test images",
            )
    return sizes.get(first, 0)
