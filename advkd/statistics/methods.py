"""Are these methods different? Accuracies paired over seeds, told by seeds alone and by seeds and images."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.power import TTestPower

from advkd.statistics.family import Bits, PairVerdict, holm, same_images, shared

FEW = 5
"""Fewer seeds than this make a verdict indicative."""
POWER = 0.8
"""The chance that `seeds_needed` seeds find the difference."""
MOST = 1000
"""No larger number of seeds is looked for."""


@dataclass(frozen=True, kw_only=True)
class MethodVerdict(PairVerdict):
    """Two methods over the `seeds` both have, on these test images.

    `difference` is the mean over seeds, `sd` the standard deviation of the differences of single seeds,
    `error` the standard error of the mean over seeds and images, `shared` the part of it that more seeds
    would not take away, because they err on the same images; `interval` the 1 - alpha interval of the mean,
    of this pair alone: None below two seeds. `seeds_needed`, of a pair that is not distinguishable, is how
    many seeds would tell a difference as large as the observed one; MOST + 1 is more than MOST, None where
    there is no difference or no number would (`by_images`).
    """

    seeds: tuple[int, ...]
    sd: float | None = None
    error: float | None = None
    shared: float | None = None
    interval: tuple[float, float] | None = None
    seeds_needed: int | None = None

    @property
    def indicative(self) -> bool:
        """Whether the seeds are too few to rely on."""
        return len(self.seeds) < FEW

    @property
    def level(self) -> float:
        """Holm's first step, on one side: enough whatever the other pairs of the family turn out to be."""
        return self.alpha / self.comparisons / 2

    @property
    def by_images(self) -> bool:
        """Whether no number of seeds would tell the difference on these images."""
        if self.verdict != "not distinguishable" or not self.difference or self.shared is None:
            return False
        return abs(self.difference) <= float(stats.norm.isf(self.level)) * max(self.shared, 1 / self.n)

    @property
    def says(self) -> str:
        """The verdict in a few sentences."""
        if self.interval is None or self.difference is None:
            cause = "one seed says nothing of the methods" if self.seeds else "they have no seed in common"
            return f"{self.opening}: {cause}."
        low, high = (100 * end for end in self.interval)
        own = " of this pair alone" if self.comparisons > 1 else ""
        says = (
            f"{self.opening}: {100 * self.difference:+.2f} points over {len(self.seeds)} seeds on these "
            f"{self.n} images, {100 * (1 - self.alpha):g} % interval{own} {low:+.2f} to {high:+.2f} "
            f"({self.chance})."
        )
        if self.by_images:
            seeds = f"Judging by {len(self.seeds)} seeds, more"
            says += f" {seeds} would not detect a difference this large on these images; more images might."
        if self.seeds_needed:
            count = f"about {self.seeds_needed}" if self.seeds_needed <= MOST else f"more than {MOST}"
            says += (
                f" Detecting a difference this large takes {count} seeds: a rough guess from "
                f"{len(self.seeds)}, for {100 * POWER:g} % power."
            )
        return f"{says} Indicative: fewer than {FEW} seeds." if self.indicative else says

    @property
    def about(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {**super().about, "indicative": self.indicative, "by_images": self.by_images}


def methods(bits: Mapping[str, Bits], *, family: str, alpha: float = 0.05) -> list[MethodVerdict]:
    """Every pair of names in the order given; those with two seeds or more in common are the family.

    Two tests, of which the one that leaves more doubt gives p and the interval: the paired t test of the
    accuracies over seeds; and a normal test whose error is that between seeds and that of the images
    (McNemar's, of the mean over seeds) together, since few images may favour one method in every seed.
    The second is min F' of Clark (J. Verbal Learning and Verbal Behavior 1973), without its degrees of
    freedom: where few seeds have agreed by luck, those tell too much (`benchmarks/two_tests.py`).
    AdvkdError where results are of different test images.
    """
    n = same_images(bits)
    verdicts = []
    for a, b in combinations(bits, 2):
        seeds = shared(bits[a], bits[b])
        verdict = MethodVerdict(a=a, b=b, n=n, family=family, alpha=alpha, seeds=seeds)
        if seeds:
            right = [np.array([bits[name][seed] for seed in seeds]) for name in (a, b)]
            verdict = _tested(verdict, *right)
        verdicts.append(verdict)
    return [replace(verdict, seeds_needed=_needed(verdict)) for verdict in holm(verdicts)]


def _tested(verdict: MethodVerdict, a: NDArray[np.bool_], b: NDArray[np.bool_]) -> MethodVerdict:
    """The verdict with its difference and, from two seeds on, its test; `a` and `b` are (seeds, n)."""
    n, seeds = verdict.n, len(verdict.seeds)
    gains = a.sum(1) - b.sum(1)
    mean = float(gains.mean())
    if seeds == 1:
        return replace(verdict, difference=mean / n)
    sd = float(gains.std(ddof=1))
    of_images, shared_by_seeds = _of_images(a, b)
    of_both = math.hypot(sd / math.sqrt(seeds), of_images)
    # seeds that agree to the image do so by luck: counts show no smaller spread than one image in one seed
    of_seeds = max(sd / math.sqrt(seeds), 1 / seeds)
    p_seeds = 2 * float(stats.t.sf(abs(mean) / of_seeds, seeds - 1))
    p_both = 2 * float(stats.norm.sf(abs(mean) / of_both))
    tail = verdict.alpha / 2
    half = max(of_seeds * float(stats.t.isf(tail, seeds - 1)), of_both * float(stats.norm.isf(tail)))
    return replace(
        verdict,
        difference=mean / n,
        sd=sd / n,
        error=of_both / n,
        shared=shared_by_seeds / n,
        p=max(p_seeds, p_both),
        interval=(max((mean - half) / n, -1.0), min((mean + half) / n, 1.0)),
    )


def _of_images(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> tuple[float, float]:
    """The standard error of the mean gain, in images, over images as McNemar counts it; one at least.

    And what would be left of it with any number of seeds: nothing where students err independently, all of
    it where they are copies of one.
    """
    gains, seeds = a.astype(np.int64) - b, len(a)
    mean, one = float((gains.sum(0) ** 2).sum()) / seeds**2, float((gains**2).sum()) / seeds
    shared = max(0.0, (mean * seeds - one) / (seeds - 1))
    return math.sqrt(max(1.0, mean)), math.sqrt(shared)


def _needed(verdict: MethodVerdict) -> int | None:
    """`seeds_needed` of a verdict that knows its family: both tests must tell."""
    if verdict.verdict != "not distinguishable" or verdict.by_images or not verdict.difference:
        return None
    more = range(max(len(verdict.seeds) + 1, FEW), MOST + 1)
    by_seeds, test = 0, TTestPower()
    if verdict.sd:
        effect = abs(verdict.difference) / verdict.sd
        # on one side: the other tail adds nothing, and scipy may answer nan for it
        by_seeds = bisect_left(
            more, POWER, key=lambda n: test.power(effect, n, verdict.level, alternative="larger")
        )
    by_both = bisect_left(more, True, key=lambda n: _tells(verdict, n))
    return min(more.start + max(by_seeds, by_both), MOST + 1)


def _tells(verdict: MethodVerdict, seeds: int) -> bool:
    """Whether the second test would tell the difference with so many seeds, with a chance of POWER.

    The images stay these: the mean varies with the seeds alone, though the test allows for both.
    """
    assert verdict.difference is not None
    assert verdict.error is not None
    assert verdict.shared is not None
    assert verdict.sd is not None
    of_seeds, kept, now = verdict.sd**2 / seeds, verdict.shared**2, len(verdict.seeds)
    own = max((verdict.error**2 - kept) * now - verdict.sd**2, 0.0)
    error = math.sqrt(of_seeds + max(kept + own / seeds, 1 / verdict.n**2))
    by_luck = float(stats.norm.ppf(POWER)) * math.sqrt(of_seeds)
    return abs(verdict.difference) - by_luck >= float(stats.norm.isf(verdict.level)) * error
