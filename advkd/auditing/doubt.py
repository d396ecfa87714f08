"""Flags that attacks raise: what they should have found, and what they found instead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations

import torch
from torch import Tensor

from advkd.auditing import probe as probes
from advkd.auditing.curves import ONE_STEP, Point
from advkd.auditing.ledger import LedgerEntry
from advkd.auditing.probe import Flag, Probe
from advkd.config.entries import CLEAN, MANY
from advkd.networks.modes import buffers_kept, evaluating
from advkd.protocols import Evaluator
from advkd.registry import load
from advkd.training.gate import WRONG_INPUT, near_chance, short_of
from advkd.types import Batch
from advkd.walk import value_and_gradient

FEW = 10
"""An attack of fewer backward passes may leave much that others break."""

DISAGREE, SHARE = 0.25, 0.05
"""Of what an attack leaves, and of what it tried: more than honest networks show another loss to break."""


def network_flags(probe: Probe) -> Iterator[Flag]:
    """What the network gives reason to doubt."""
    checks = (
        probes.zero_gradient,
        probes.probabilities,
        probes.random_forward,
        probes.train_mode,
        probes.non_differentiable,
        loss_flat,
        below_record,
    )
    for check in checks:
        flag = check(probe)
        if flag is not None:
            yield flag


def attack_flags(
    points: Sequence[Point], entries: Mapping[str, LedgerEntry], suite: Mapping[str, Evaluator], chance: float
) -> Iterator[Flag]:
    """What the curves and the attacks of the suite give reason to doubt."""
    found = (
        one_step_better(points),
        not_converged(points),
        any_image(points, chance),
        losses_disagree(entries, suite),
        black_box_better(entries, suite),
        best_not_returned(entries),
    )
    yield from (flag for flag in found if flag is not None)


def notable(count: int, n: int) -> bool:
    """More than two examples, and more than 2 % of them: what honest networks do not show by accident."""
    return count > max(2, 0.02 * n)


def loss_flat(probe: Probe) -> Flag | None:
    """An attack whose loss does not rise."""
    first = probe.gradient("margin")
    if first is None or not probe.threat.eps:
        return None
    with evaluating(probe.net), buffers_kept(probe.net):
        best = torch.cat([_highest(probe, part) for part in probe.parts])
    flat, n = int((best <= first[0]).sum()), len(best)
    if not notable(flat, n):
        return None
    return Flag(
        name="loss-flat",
        says="ten gradient steps do not raise the attack's loss",
        evidence=f"on {flat} of {n} images the margin is no larger than before",
        remedy="the gradient leads nowhere: it is masked, or the step is far too long",
    )


def _highest(probe: Probe, batch: Batch) -> Tensor:
    """(B,): the highest margin that ten steps from the images themselves pass."""
    margin, attack = load("losses", "margin")(), load("attacks", "pgd")(steps=10, init="none")

    def objective(at: Tensor) -> Tensor:
        values: Tensor = margin(probe.net(at), batch.y)
        return values

    points = list(attack(objective, batch.x, probe.threat, torch.Generator()))[1:]
    return torch.stack([value_and_gradient(objective, point)[0] for point in points]).amax(0)


def below_record(probe: Probe) -> Flag | None:
    """Clean accuracy that no trained network would have."""
    known = probe.record.get("clean")
    if near_chance(probe.clean, probe.chance):
        against = f"chance is {100 * probe.chance:.0f} %"
    elif known is not None and short_of(known, probe.clean, probe.n):
        against = f"its record says {100 * known:.1f} %"
    else:
        return None
    return Flag(
        name="below-record",
        says="clean accuracy is far below what it should be",
        evidence=f"{100 * probe.clean:.1f} % on {probe.n} images; {against}",
        remedy=WRONG_INPUT,
    )


def one_step_better(points: Sequence[Point]) -> Flag | None:
    """FGSM breaks what many steps of PGD leave standing."""
    single = next((p.entry for p in points if p.axis == ONE_STEP), None)
    many = [p for p in points if p.axis == "steps" and p.value >= 10]
    if single is None or not many:
        return None
    last = max(many, key=lambda p: p.value)
    count, n = int((single.broken & last.entry.right).sum()), int(single.tried.sum())
    if not notable(count, n):
        return None
    return Flag(
        name="one-step-better",
        says="one step breaks what many steps do not",
        evidence=f"{count} of {n} images fall to FGSM but survive PGD-{last.value:.0f}",
        remedy="gradients mislead after one step: a sign of masking (Carlini et al. 2019)",
    )


def not_converged(points: Sequence[Point]) -> Flag | None:
    """Twice the steps break notably more."""
    steps = sorted((p for p in points if p.axis == "steps"), key=lambda p: p.value)
    if len(steps) < 2:
        return None
    few, many = steps[-2:]
    n = int(many.entry.tried.sum())
    count = int(many.entry.broken.sum()) - int(few.entry.broken.sum())
    if not notable(count, n):
        return None
    return Flag(
        name="not-converged",
        says="more steps still change the result",
        evidence=f"PGD-{many.value:.0f} breaks {count} more of {n} images than PGD-{few.value:.0f}",
        remedy="raise steps and restarts until the number is stable",
    )


def any_image(points: Sequence[Point], chance: float) -> Flag | None:
    """Images that stand where the adversary may draw any other; a network that only guesses has no other."""
    curve = sorted((p for p in points if p.axis == "eps"), key=lambda p: p.value)
    if not curve or near_chance(curve[0].accuracy, chance):
        return None
    last = curve[-1]
    count, n = int((last.entry.right & last.entry.tried).sum()), int(last.entry.tried.sum())
    if not notable(count, n):
        return None
    return Flag(
        name="any-image",
        says="images stand although eps allows any image",
        evidence=f"{count} of {n} at eps {last.value:g}",
        remedy="no network can be that robust: the attack fails, so its other numbers are too high as well",
    )


def losses_disagree(entries: Mapping[str, LedgerEntry], suite: Mapping[str, Evaluator]) -> Flag | None:
    """One attack by gradients breaks much of what another one tried and left, and still much stands."""
    many = {name: entry for name, entry in entries.items() if name in suite and _comparable(suite[name])}
    standing = [~entry.broken for name, entry in entries.items() if name in suite or name == CLEAN]
    if not standing or not torch.stack(standing).all(0).double().mean() > SHARE:
        return None
    for (weak, left), (strong, found) in permutations(many.items(), 2):
        stood = left.tried & left.right & found.tried
        count, n = int((stood & found.broken).sum()), int(stood.sum())
        if count > DISAGREE * n and count > SHARE * int(left.tried.sum()):
            return Flag(
                name="losses-disagree",
                says="one attack by gradients breaks much of what another leaves",
                evidence=f"{strong} breaks {count} of {n} images that {weak} leaves",
                remedy="logits that saturate hide examples from a loss: judge the network before what "
                f"squashes them, or give {weak} more steps if it has few",
            )
    return None


def _comparable(evaluator: Evaluator) -> bool:
    """Whether it climbs a loss by gradients and nothing else, for more than a few steps."""
    alone = evaluator.knowledge == "white-box" and not getattr(evaluator, "mixed", False)
    passes = evaluator.passes(MANY)
    return alone and evaluator.kind == "fixed-budget" and passes is not None and passes[1] >= FEW


def black_box_better(entries: Mapping[str, LedgerEntry], suite: Mapping[str, Evaluator]) -> Flag | None:
    """Attacks without gradients break what attacks with gradients do not."""
    sides: dict[str, list[tuple[str, LedgerEntry]]] = {"white-box": [], "black-box": []}
    for name, entry in entries.items():
        # what a whole suite breaks may have been broken by its black-box part
        if name in suite and entry.tried.any() and not getattr(suite[name], "mixed", False):
            sides[suite[name].knowledge].append((name, entry))
    if not sides["white-box"] or not sides["black-box"]:
        return None
    white = torch.stack([entry.broken for _, entry in sides["white-box"]]).any(0)
    tried = torch.stack([entry.tried for _, entry in sides["white-box"]]).any(0)
    for name, entry in sides["black-box"]:
        count, n = int((entry.broken & tried & ~white).sum()), int(entry.tried.sum())
        if notable(count, n):
            return Flag(
                name="black-box-better",
                says="an attack without gradients breaks what attacks with gradients do not",
                evidence=f"{name} breaks {count} of {n} images that no white-box attack breaks",
                remedy="the gradients are masked: the white-box numbers are too high",
            )
    return None


def best_not_returned(entries: Mapping[str, LedgerEntry]) -> Flag | None:
    """An attack passed an error and ended elsewhere."""
    for name, entry in entries.items():
        n = int(entry.tried.sum())
        if notable(entry.silent, n):
            return Flag(
                name="best-not-returned",
                says="an attack finds errors and does not return them",
                evidence=f"{name}: {entry.silent} of {n} images were misclassified on the way",
                remedy="the attack must keep its best iterate; until then its number is too high",
            )
    return None
