"""What an audit leaves out, in words."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from advkd.auditing.case import planned
from advkd.config.case import AuditPlan
from advkd.config.entries import OFFICIAL
from advkd.protocols import Evaluator
from advkd.registry import entries
from advkd.types import Threat

NEEDS = "needs another network, {}"
BLIND = "no gradient reaches the image"


def skipped(evaluator: Evaluator, who: str, nets: Collection[str], blind: Callable[[str], bool]) -> str:
    """Why an evaluator cannot judge the network `who`; empty if it can.

    `nets` are the names of the further networks there are, `blind` says of a network, by the name of its
    mark, whether no gradient reaches the image in it.
    """
    asked = getattr(evaluator, "nets", ())
    missing = [name for name in asked if name not in nets]
    if missing:
        return NEEDS.format(missing[0])
    if evaluator.knowledge == "white-box":
        apart = "; its attacks without gradients can be run by themselves"
        return f"{BLIND}{apart * getattr(evaluator, 'mixed', False)}" if blind(who) else ""
    # what asks the judged network for no gradient takes those of the networks it brings along
    cut = [name for name in asked if blind(f"nets.{name}")]
    return f"{BLIND} in {cut[0]}" if cut else ""


def left_out(plan: AuditPlan, threat: Threat, skips: Sequence[str], complete: bool) -> list[str]:
    """Sentences for the reader of a verdict."""
    said = [] if complete else [f"the budget of {plan.budget} ran out: attacks after that point"]
    if threat.eps == 0:
        said.append("any attack: eps is 0, so every image stays as it is")
    said += skips
    said += _changed(plan)
    if OFFICIAL not in plan.evaluators:
        said.append("the official AutoAttack suite (suite=full runs it)")
    if plan.limit is not None:
        said.append(f"more than {plan.limit} of the images (limit)")
    other = "l2" if threat.norm == "linf" else "linf"
    said.append(f"other threats: {other}, larger eps, corruptions, rotations and shifts")
    said.append("attacks made for this very model; no certificate is given")
    return said


def _changed(plan: AuditPlan) -> Iterator[str]:
    """What the suite of a plan's name holds as it ships, and the plan does not."""
    if plan.suite not in entries("suites"):
        return
    shipped, _ = planned(plan.suite, {})
    for key, evaluator in shipped.evaluators.items():
        if key == OFFICIAL:
            continue
        if key not in plan.evaluators:
            yield f"{key} of suite {plan.suite}"
        elif plan.evaluators[key] != evaluator:
            yield f"{key} as suite {plan.suite} has it"
