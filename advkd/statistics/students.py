"""Are these students different? Exact McNemar on the test images, seed by seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from statsmodels.stats.contingency_tables import mcnemar

from advkd.statistics.family import Bits, PairVerdict, holm, same_images, shared


@dataclass(frozen=True, kw_only=True)
class StudentVerdict(PairVerdict):
    """Two students of one `seed`: `only_a` images only `a` gets right, `only_b` only `b`.

    It is of these two networks and says nothing of what another seed would have made of them.
    """

    seed: int
    only_a: int
    only_b: int

    @property
    def says(self) -> str:
        """The verdict in a sentence."""
        return (
            f"Seed {self.seed}: {self.opening}: of {self.n} images {self.a} alone gets {self.only_a} right "
            f"and {self.b} alone {self.only_b} ({self.chance})."
        )


def students(bits: Mapping[str, Bits], *, family: str, alpha: float = 0.05) -> list[StudentVerdict]:
    """Every pair of names in the order given, at every seed both have; all of these are the family.

    AdvkdError where results are of different test images. Source: McNemar, Psychometrika 1947.
    """
    n = same_images(bits)
    verdicts = []
    for a, b in combinations(bits, 2):
        for seed in shared(bits[a], bits[b]):
            only_a = int((bits[a][seed] & ~bits[b][seed]).sum())
            only_b = int((bits[b][seed] & ~bits[a][seed]).sum())
            verdicts.append(
                StudentVerdict(
                    a=a,
                    b=b,
                    n=n,
                    family=family,
                    alpha=alpha,
                    seed=seed,
                    only_a=only_a,
                    only_b=only_b,
                    difference=(only_a - only_b) / n,
                    p=float(mcnemar([[0, only_a], [only_b, 0]], exact=True).pvalue),
                )
            )
    return holm(verdicts)
