"""The pairwise verdicts of a comparison: sentences about the leader, and a table of every pair."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from advkd.reporting.material import Material
from advkd.reporting.table import TableCell
from advkd.reporting.words import ranked
from advkd.statistics.family import on_its_side
from advkd.statistics.methods import MOST, POWER

SAID = 6
"""Sentences a reader takes in; more pairs than that are left to the table."""

HEADS = {
    "methods": (
        "seeds",
        "difference, points",
        "95 % interval",
        "p",
        "p, Holm",
        "verdict",
        "seeds needed",
    ),
    "students": ("seed", "difference, points", "p", "p, Holm", "verdict"),
}

INDICATIVE = " Indicative: with so few seeds, more may well say otherwise."

ABOUT = {
    "methods": (
        "These methods",
        "Would this hold if the students were trained again? Judged over seeds, each training of a "
        "method being one observation, and over seeds and images together. A difference is the "
        "first method less the second. This is about the methods, in this setting.",
    ),
    "students": (
        "These students",
        "Do these very networks differ on images like these? Judged image by image. Says nothing about "
        "training them again: two seeds of one method may differ as well.",
    ),
}


PAIRS = (
    "Robust accuracy unless clean is stated, first minus second. p, Holm: corrected for the pairs that are "
    "tested together, those of one table; an interval is of its pair alone. Seeds needed: how many would "
    f"detect this difference on these images with a chance of {100 * POWER:g} %, were it the true one."
)
"""How the tables of all pairs are read."""


@dataclass(frozen=True, kw_only=True)
class Verdicts:
    """One kind of verdict: what it is about, the sentences shown, the rows of its table."""

    title: str
    hint: str
    says: Sequence[str]
    left: int
    heads: Sequence[str]
    rows: Sequence[tuple[str, Sequence[TableCell]]]


def verdicts(material: Material) -> list[Verdicts]:
    """Those of methods, then those of students; then, without sentences, both of clean accuracy."""
    comparison = material.comparison or {}
    clean = comparison.get("clean") or {}
    found = [_verdicts(kind, comparison[kind], material) for kind in ABOUT if comparison.get(kind)]
    return [*found, *(_verdicts(kind, clean[kind], None) for kind in ABOUT if clean.get(kind))]


def _verdicts(kind: str, pairs: Sequence[Mapping[str, Any]], material: Material | None) -> Verdicts:
    """One kind; of clean accuracy without the material that says whose sentences matter."""
    title, hint = ABOUT[kind]
    says = shown(material, pairs) if material else []
    return Verdicts(
        title=title if material else f"{title}, clean accuracy",
        hint=hint + INDICATIVE * any(pair.get("indicative") and pair["p"] is not None for pair in pairs),
        says=[pair["says"] for pair in says],
        left=len(pairs) - len(says),
        heads=HEADS[kind],
        rows=[(f"{pair['a']} and {pair['b']}", list(_cells(kind, pair))) for pair in pairs],
    )


def shown(material: Material, pairs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The pairs to put into sentences: all if they are few, else as many as possible of the leader's."""
    rank = {group.name: i for i, group in enumerate(ranked(material))}
    ranks = [sorted(rank.get(pair[side], 0) for side in ("a", "b")) for pair in pairs]
    order = sorted(range(len(pairs)), key=lambda i: ranks[i])
    return [pairs[i] for i in order if len(pairs) <= SAID or ranks[i][0] == 0][:SAID]


def _cells(kind: str, pair: Mapping[str, Any]) -> Iterator[TableCell]:
    of_methods = kind == "methods"
    number = len(pair["seeds"]) if of_methods else pair["seed"]
    yield TableCell(str(number), number)
    apart = pair.get("difference")
    yield TableCell("-" if apart is None else f"{100 * apart:+.2f}", apart)
    if of_methods:
        ends = pair.get("interval")
        yield TableCell("-" if ends is None else " to ".join(f"{100 * end:+.2f}" for end in ends))
    for key in ("p", "p_holm"):
        p = pair.get(key)
        shown = "-" if p is None else on_its_side(p, pair["alpha"]) if p >= 0.001 else "< 0.001"
        yield TableCell(shown, p)
    yield TableCell(str(pair.get("verdict") or "-"))
    if of_methods:
        needed = pair.get("seeds_needed")
        told = "no number on these images" if pair.get("by_images") else "-"
        if needed is not None:
            told = f"about {needed}" if needed <= MOST else f"more than {MOST}"
        yield TableCell(told, needed)
