"""What an audit leaves out, in words."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from advkd.config.case import OFFICIAL, Plan
from advkd.protocols import Evaluator
from advkd.types import Threat

NEEDS = "needs another network, {}"


def skipped(evaluator: Evaluator, nets: Collection[str], blind: bool) -> str:
    """Why an evaluator cannot judge a network; empty if it can."""
    missing = [name for name in getattr(evaluator, "nets", ()) if name not in nets]
    if missing:
        return NEEDS.format(missing[0])
    if blind and evaluator.knowledge == "white-box":
        return "no gradient reaches the image"
    return ""


def left_out(plan: Plan, threat: Threat, skips: Sequence[str], complete: bool) -> list[str]:
    """Sentences for the reader of a verdict."""
    said = [] if complete else [f"the budget of {plan.budget} ran out: attacks after that point"]
    if threat.eps == 0:
        said.append("any attack: eps is 0, so every image stays as it is")
    said += skips
    if OFFICIAL not in plan.evaluators:
        said.append("the official AutoAttack suite (suite=full runs it)")
    if plan.limit is not None:
        said.append(f"more than {plan.limit} test images (limit)")
    other = "l2" if threat.norm == "linf" else "linf"
    said.append(f"other threats: {other}, larger eps, corruptions, rotations and shifts")
    said.append("attacks made for this very model; no certificate is given")
    return said
