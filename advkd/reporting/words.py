"""Numbers and verdicts as a reader of a report meets them."""

from __future__ import annotations

import math
import shlex
import statistics
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from advkd.config import differing
from advkd.reporting.material import Group, Material, Row
from advkd.result import percent
from advkd.types import Threat

TFLOP, SECONDS, MEMORY = "train_tflop", "train_seconds", "peak_memory_mb"
"""Costs of a training: counted operations, wall time, and what its process held at most."""

ALIKE = 1.01
"""Costs of which none is more than this many times another are told as the same."""


def spread(values: Sequence[float]) -> str:
    """The mean of shares in per cent, ± SD of several."""
    sd = f" ± {percent(statistics.stdev(values))}" if len(values) > 1 else ""
    return f"{percent(statistics.fmean(values))}{sd}"


def listed(names: Sequence[str]) -> str:
    """Names in a sentence: a, b and c."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def given(words: Mapping[str, Sequence[str]]) -> list[str]:
    """The words of every entrant that is more than the preset it is called after, by label."""
    return [f"{label}: {shlex.join(own)}" for label, own in words.items() if [*own] != [f"preset={label}"]]


def summed(scales: Mapping[str, float | None]) -> str:
    """The sums of loss scales and whose they are, as far as they are known."""
    known = {name: f"{total:.4g}" for name, total in scales.items() if total is not None}
    return differing.told(known) if len({*known.values()}) > 1 else next(iter(known.values()), "")


def called(row: Row) -> str:
    """A student by its method and seed."""
    return row.name if row.seed is None else f"{row.name}, seed {row.seed}"


def threat_of(config: Mapping[str, Any]) -> str:
    """The threat a run was trained under."""
    threat = dict(config["threat"])
    return str(Threat(norm=threat["norm"], eps=threat["eps"], box=tuple(threat["box"])))


def trained(rows: Sequence[Row]) -> str:
    """The threats that students were trained under, in a sentence; empty where nobody knows."""
    known = dict.fromkeys(threat_of(row.config) for row in rows if row.config)
    own = ", each under its own" if len(known) > 1 else ""
    return f"Trained and validated under {' or '.join(known)}{own}." if known else ""


def way(engine: Mapping[str, bool]) -> str:
    """The precision and kind of execution of an engine."""
    return f"{'bf16' if engine['bf16'] else 'float32'}{', compiled' if engine['compiled'] else ''}"


def measured(group: Group, what: str) -> str:
    """`clean` or `robust` of a method in per cent: with its interval, or ± SD over seeds; `≤` if a bound."""
    told = ("" if what != "robust" or whole(group) else "≤ ") + spread(group.values(what))
    return told if len(group.judged) > 1 else f"{told} ({percent(group.spread(what))})"


def whole(group: Group) -> bool:
    """Whether every audit of a method ran to its end; one that did not gives an upper bound."""
    return all(judged.complete for judged in group.judged)


def count(number: float | None) -> str:
    """A number with three digits or so and its unit: 98,496 as 98 k, 3.4 M, 1.2 G."""
    if number is None:
        return "-"
    for size, unit in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(number) >= size:
            return f"{number / size:.3g}{unit}" if number < 100 * size else f"{number / size:.0f}{unit}"
    return f"{number:.3g}" if number < 100 else f"{number:.0f}"


def duration(seconds: float | None) -> str:
    """A length of time: 35 s, 4.2 min, 1.5 h."""
    if seconds is None:
        return "-"
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def ranked(material: Material) -> list[Group]:
    """The methods, the most robust first; last those of a comparison that lack seeds of the others."""
    return sorted(material.groups, key=lambda group: (group.apart, -(group.mean("robust") or 0)))


def cost_key(groups: Sequence[Group]) -> str:
    """What methods are compared in cost by: counted operations if they are known of all, else wall time."""
    return TFLOP if all(group.mean(TFLOP) for group in groups) else SECONDS


def headline(material: Material) -> str:
    """The verdict in a sentence or two."""
    if material.comparison is not None:
        return str(material.comparison.get("headline") or "This comparison came to no verdict.")
    if not material.groups:
        return "No student has been judged."
    if material.single is not None:
        judged = material.judged
        bound = "" if judged.complete else "at most "
        return f"{bound}{percent(judged.scores.robust)} % robust, {percent(judged.scores.clean)} % clean"
    first, *others = ranked(material)
    if not others:
        return f"{first.name}: {measured(first, 'robust')} % robust, {measured(first, 'clean')} % clean."
    most = first.mean("robust") or 0
    even = [group for group in others if math.isclose(group.mean("robust") or 0, most)]
    below = others[len(even) :]
    leads = f"{listed([group.name for group in [first, *even]])} {'share' if even else 'has'}"
    bound = "" if all(whole(group) for group in [first, *even]) else "at most "
    says = f"{leads} the highest robust accuracy, {bound}{percent(most)} %"
    if below:
        says += f", {100 * (most - (below[0].mean('robust') or 0)):.1f} points above {below[0].name}"
    seeds = _seeds(ranked(material))
    return f"{says}.{seeds} Whether this is chance is not tested here; advkd compare tests it."


def _seeds(groups: Sequence[Group]) -> str:
    """Whose students are of which seeds, where they are not of the same."""
    found = {g.name: sorted({row.seed for row in g.rows if row.seed is not None}) for g in groups}
    told = [f"{name} {listed([*map(str, seeds)])}" for name, seeds in found.items() if seeds]
    many = {tuple(seeds) for seeds in found.values() if seeds}
    return f" Their seeds differ: {'; '.join(told)}." if len(many) > 1 else ""


def beneath(material: Material) -> str:
    """What a reader of the headline has to know at once: how exact it is, or what winning costs."""
    if material.single is None:
        comparison = material.comparison or {}
        groups = [group for group in ranked(material) if not group.apart]
        # over other seeds than the others' nobody is ahead, at whatever cost
        if comparison and _seeds(groups):
            return ""
        kind = "ranked method" if len(groups) < len(material.groups) else "method"
        return _costs(groups, kind, equal(comparison), _told_worse(groups[0].name, comparison))
    judged = material.judged
    said = f"95 % interval of robust accuracy {percent(judged.scores.interval('robust'))} % (Wilson)."
    return said if judged.complete else f"{said} The attacks have not finished: this is an upper bound."


def judged_by(material: Material, suite: str) -> str:
    """The command that judges by another suite; a comparison shows the audits it has asked for, no others."""
    if material.comparison is None:
        return f"advkd eval RUN suite={suite}"
    return f"advkd compare with suite={suite} beside its other words"


def equal(comparison: Mapping[str, Any]) -> str | None:
    """What a comparison has made equal; nothing where its words have set the epochs apart."""
    epochs = comparison.get("epochs")
    apart = isinstance(epochs, Mapping) and len({*epochs.values()}) > 1
    return None if apart and comparison.get("equal") == "epochs" else comparison.get("equal")


def _told_worse(name: str, comparison: Mapping[str, Any]) -> set[str]:
    """The methods that the verdicts say are worse than `name`: no cheaper way to what it reaches."""
    sides = {"better": ("a", "b"), "worse": ("b", "a")}
    told = [(one, sides[one["verdict"]]) for one in comparison.get("methods", ()) if one["verdict"] in sides]
    return {one[worse] for one, (better, worse) in told if one[better] == name}


def _costs(groups: Sequence[Group], kind: str, made_equal: str | None, worse: Collection[str]) -> str:
    """What the first of `groups`, every one a `kind`, takes, and what others do."""
    key = cost_key(groups)
    known = [group for group in groups if group.mean(key)]
    if not known or known[0] is not groups[0]:
        return ""
    kind += " of known cost" * (len(known) < len(groups))
    cost = {group.name: group.mean(key) or 0 for group in known}
    own = cost[known[0].name]
    what = f"{count(1e12 * own)}FLOP (counted operations)" if key == TFLOP else f"{duration(own)} (wall time)"
    said = f"{known[0].name} takes {what} of training per student"
    if cheaper := sorted((g for g in known if own > ALIKE * cost[g.name]), key=lambda g: cost[g.name]):
        unequal = " They were given equal epochs, not equal compute; equal=compute gives the latter."
        said = f"{said}, {_dearer(own, cheaper, cost, worse, kind)}"
        return said + (unequal if made_equal == "epochs" else "")
    same = [group.name for group in known[1:] if cost[group.name] <= ALIKE * own]
    told = [f"as much as {listed(same)}"] if same else []
    told += [f"less than every other {kind}"] if len(same) + 1 < len(known) else []
    return ", ".join([said, " and ".join(told)] if told else [said]) + "."


def _dearer(
    own: float, cheaper: Sequence[Group], cost: Mapping[str, float], worse: Collection[str], kind: str
) -> str:
    """How many times the cost of a `cheaper` method, the cheapest first, and what that one reaches."""
    rivals = [group for group in cheaper if group.name not in worse]
    other = (rivals or cheaper)[0]
    least = cost[other.name]
    which = f"the cheapest{'' if kind == 'method' else f' {kind}'}"
    which += "" if other is cheaper[0] else " that is not shown to be worse"
    more = f"{own / least:.{1 if own >= 1.1 * least else 2}f} times as much as {other.name}, {which}"
    reaches = f"{more}, which reaches {percent(other.mean('robust'))} %"
    return f"{reaches}." if rivals else f"{reaches}; every cheaper {kind} is shown to be worse."
