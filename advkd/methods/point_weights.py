"""From raw weights to what each train-mode forward counts for each sample."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from advkd.errors import error
from advkd.methods.spec import Term
from advkd.protocols import points_of
from advkd.step import Step
from advkd.view import View


def weights_of(term: Term, view: View, step: Step, place: str) -> Tensor:
    """The normalised weights (T,B) of a term, without gradient; zero at points it does not count."""
    t = len(view.path)
    limit = points_of(term.weight, t)
    points = set(range(t) if limit is None else limit)
    if term.covers_path and not term.start:
        points.discard(0)
    blank = view.path.x.new_zeros((t, view.path.x.shape[1]))
    if not points:
        return blank
    with torch.no_grad():
        raw = term.weight(view.only(points), step)
    if problem := _problem(raw, blank):
        what, given = problem
        who = f"{type(term.weight).__name__}, epoch {step.epoch}, step {step.index}"
        remedy = "advkd check weighting NAME tries it on small cases"
        raise error(f"{place}.weight ({who})", what, given=given, remedy=remedy)
    raw = raw.to(blank)
    inside = torch.tensor([k in points for k in range(t)], device=blank.device)
    return normalised(torch.where(inside[:, None], raw, blank), _rule(term))


def _rule(term: Term) -> str:
    if term.normalise != "auto":
        return term.normalise
    return "per-sample" if term.covers_path else "none"


def normalised(weights: Tensor, rule: str) -> Tensor:
    """Weights (T,B) divided as `Term.normalise` says; where that is zero they stay zero."""
    if rule == "none":
        return weights
    whole = weights.sum(0, keepdim=True)
    of = {"per-sample": whole, "per-batch": whole.mean(), "per-batch-max": weights.amax(1, keepdim=True)}
    size = of[rule]
    return weights / torch.where(size > 0, size, 1.0)


def _problem(raw: object, blank: Tensor) -> tuple[str, object] | None:
    """What is wrong with what a weighting answered, and what it was."""
    if not isinstance(raw, Tensor) or raw.shape != blank.shape:
        shape = tuple(raw.shape) if isinstance(raw, Tensor) else type(raw).__name__
        return f"weights must have shape (T,B) = {tuple(blank.shape)}", shape
    # one question, since a GPU is waited for at each
    if not ((raw >= 0) & torch.isfinite(raw)).all():
        return "weights must be finite and not negative", raw.min().item()
    return None


@dataclass(frozen=True)
class Drawn:
    """Points drawn per sample: `k` (M,B) step indices, `factor` (B,) the weight of each draw."""

    k: Tensor
    factor: Tensor


def drawn(weights: Tensor, m: int, generator: torch.Generator) -> Drawn:
    """M points per sample, with replacement, in proportion to `weights` (T,B); factor sum(w) / M."""
    total = weights.sum(0)
    # multinomial needs a non-zero row: such a sample draws by the batch's summed weights, at factor zero
    chances = torch.where(total > 0, weights, weights.sum(1, keepdim=True)).T.cpu().double()
    k = torch.multinomial(chances, m, replacement=True, generator=generator).T
    return Drawn(k.to(weights.device), total / m)
