"""The verdict of a comparison in a few sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from advkd.config.entries import CLEAN
from advkd.reporting.words import listed
from advkd.statistics.methods import FEW

if TYPE_CHECKING:
    from advkd.comparing.outcome import Comparison

ROBUST = "robust"
VERDICTS = {
    "better": "better than",
    "worse": "worse than",
    "not distinguishable": "not distinguishable from",
}
TURNED = {**{word: word for word in VERDICTS}, "better": "worse", "worse": "better"}
"""The verdict on a pair as seen from its other side."""


def headline(comparison: Comparison) -> str:
    """Who is ahead and what the tests make of it, who is missing, and whom an audit has doubted."""
    if len(comparison.judged) < 2:
        says = "Fewer than two entrants have been judged: there is nothing to compare."
    elif len(set(comparison.seeds.values())) > 1:
        says = "No seed was judged for every entrant, so none can be ranked first."
    else:
        says = _ahead(comparison)
    return says + _absent(comparison) + _doubted(comparison)


def _ahead(comparison: Comparison) -> str:
    """Who has the highest mean, over which seeds, and what the verdicts make of it."""
    ranked, best = comparison.ranked, comparison.leading
    most, seeds = comparison.mean(best[0], ROBUST), len(comparison.seeds[best[0]])
    clean = listed([f"{100 * comparison.mean(label, CLEAN):.1f} %" for label in best])
    says = f"On these {comparison.n} images {listed(best)} {'share' if best[1:] else 'has'} the highest "
    says += f"mean robust accuracy, {100 * most:.1f} % (clean {clean}), over {seeds} seed"
    says += "s" if seeds > 1 else ""
    says += " common to all" if any(len(comparison.judged[label]) > seeds for label in ranked) else ""
    tested = [one for one in comparison.methods if one.p is not None and {one.a, one.b} & {*best}]
    # a pair is tested on all seeds of its own, where what is highest over those of all may be lower
    own = any(one.seeds != comparison.seeds[best[0]] for one in tested)
    which = "Over all seeds of each pair " if own else ""
    if seeds < FEW and not own:
        says += f", indicative (fewer than {FEW} seeds)" if tested else ", and one seed allows no test"
    apart = [label for label in comparison.judged if label not in ranked]
    told = []
    for i, label in enumerate(best):
        name = f"method {label}" if best[1:] else "it"
        told.append(_beside(comparison, which + name, label, [*ranked[i + 1 :], *apart], mark=own))
    return f"{says}.{''.join(told)}"


def _beside(comparison: Comparison, name: str, label: str, others: Sequence[str], *, mark: bool) -> str:
    """What the verdicts make of `label`, called `name`, beside others; nothing where none was tested.

    With `mark` it says of each other whether the verdict is indicative.
    """
    told: dict[str, dict[str, str]] = {}
    for one in comparison.methods:
        other = one.b if one.a == label else one.a
        if one.p is not None and label in (one.a, one.b) and other in others:
            word = one.verdict if one.a == label else TURNED[one.verdict]
            told.setdefault(word, {})[other] = f"{other}{' (indicative)' * (mark and one.indicative)}"
    says = ""
    for word in (word for word in VERDICTS if word in told):
        names = [told[word][other] for other in others if other in told[word]]
        says += f" {name[0].upper()}{name[1:]} is {VERDICTS[word]} {listed(names)}."
    return says


def _absent(comparison: Comparison) -> str:
    """Who is not ranked, and how many cells have failed."""
    labels = dict.fromkeys(cell.label for cell in comparison.plan.cells)
    never = [label for label in labels if label not in comparison.judged]
    few = [label for label in comparison.judged if label not in comparison.seeds]
    says = f" {listed(never)} {_were(never)} not judged: every seed failed." if never else ""
    if few:
        says += f" {listed(few)} {_were(few)} judged on too few of these seeds to be ranked."
    if comparison.failed:
        says += f" {len(comparison.failed)} of {len(comparison.plan.cells)} cells failed."
    return says


def _doubted(comparison: Comparison) -> str:
    """Whose audits have raised which flags: their numbers may be too high."""
    flags: dict[str, dict[str, None]] = {}
    for label, seeds in comparison.judged.items():
        for one in seeds.values():
            for flag in (one.audit or {}).get("flags", ()):
                flags.setdefault(label, {})[flag["name"]] = None
    told = [f"{label} ({', '.join(names)})" for label, names in flags.items()]
    return f" Audits raised flags on {listed(told)}: reasons to doubt how robust they are." if told else ""


def _were(names: Sequence[str]) -> str:
    return "was" if len(names) == 1 else "were"
