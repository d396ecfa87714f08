"""MART: a weight that carries gradient, which no term of the sum can (`mart`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn import functional as F

from advkd.networks.modes import evaluating, momentum_over
from advkd.protocols import Attack, Parts
from advkd.step import Step
from advkd.types import Batch, Path, Real
from advkd.walk import Recorder, walked


@dataclass(frozen=True, kw_only=True)
class Mart:
    """BCE(x') + beta * mean[(1.0000001 - p_y(x)) * KL(p(x) || p(x'))].

    BCE is CE(x') - mean log(1.0001 - max over c != y of p_c(x') + 1e-12); the KL takes log(p + 1e-12).
    Neither the weight nor the clean probabilities are detached. Source: Wang et al., ICLR 2020
    ("Improving adversarial robustness requires revisiting misclassified examples"), eq. 11; the small
    constants are the published code's, which has none in the logarithm of the clean answer: here it keeps
    a gradient where a probability is zero. The paper's beta is 5, the code's function default 6.
    """

    attack: Attack
    beta: Real = 5.0

    nets: ClassVar[tuple[str, ...]] = ()

    def paths(self, batch: Batch, step: Step) -> dict[str, Path | None]:
        """The untargeted path on cross-entropy, walked in eval mode."""
        student = step.nets["student"]
        recorder = Recorder(student)
        with evaluating(student):
            points = self.attack(
                lambda x: F.cross_entropy(recorder(x), batch.y, reduction="none"),
                batch.x,
                step.threat,
                step.generator("attack", "untargeted"),
            )
            return {"untargeted": walked(points, recorder, batch.y, None)}

    def losses(
        self, paths: Mapping[str, Path | None], batch: Batch, step: Step
    ) -> Iterator[tuple[Tensor, Parts]]:
        """One scalar: both forwards are in one graph, since the weight carries gradient."""
        path = paths["untargeted"]
        assert path is not None
        student = step.nets["student"]
        with momentum_over(student, 2):
            clean, attacked = student(batch.x), student(path.x[-1])
        boosted = boosted_ce(attacked, batch.y).mean()
        p, q = clean.softmax(1), attacked.softmax(1)
        kl = (p * ((p + 1e-12).log() - (q + 1e-12).log())).sum(1)
        weight = 1.0000001 - p.gather(1, batch.y[:, None]).squeeze(1)
        robust = self.beta * (weight * kl).mean()
        parts = {"untargeted.boosted": boosted.detach(), "untargeted.robust": robust.detach()}
        yield boosted + robust, parts


def boosted_ce(logits: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy plus -log(1.0001 - largest other probability + 1e-12): (B,N), (B,) to (B,)."""
    p = logits.softmax(1)
    other = p.scatter(1, y[:, None], 0.0).amax(1)
    return F.cross_entropy(logits, y, reduction="none") - (1.0001 - other + 1e-12).log()
