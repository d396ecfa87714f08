"""Shaded tables: robust accuracy by class, who breaks what, who survives what."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

import numpy as np

from advkd.reporting.figures import chosen
from advkd.reporting.figures.canvas import Figure, Missing, heat
from advkd.reporting.material import Bits, Group, Judged, Material
from advkd.reporting.words import judged_by, ranked

NARROW = 5
"""Columns that fit beside another figure."""

MANY = 20
"""Columns that fit on a printed page."""


def classes(material: Material) -> Figure | Missing:
    """Robust accuracy of every method in every class."""
    title = "Classes"
    groups = [group for group in material.groups if group.judged[0].by_class]
    if not groups:
        return Missing(title, "no classes beside the outcomes; advkd eval RUN supplies them.")
    cells = [_mean_by_class(group) for group in groups]
    order = _hardest_first(cells)
    shown = order[:MANY] if len(order) > MANY else sorted(order)
    some = f" Of {len(order)} classes the {MANY} hardest, hardest first." if len(order) > MANY else ""
    return Figure(
        key="classes",
        title=title,
        body=heat(
            "classes",
            "Robust accuracy in per cent, methods by classes",
            ("class", [str(i) for i in shown], [g.name for g in groups]),
            [[row[i] for i in shown] for row in cells],
        ),
        caption=f"Robust accuracy in % of each class, {material.images}, {material.threat}, the mean over "
        f"seeds.{some} Low numbers down a column are a class that every method finds hard.",
        wide=len(shown) > NARROW,
    )


def breaks(material: Material) -> Figure | Missing:
    """For the most robust student: of what one attack breaks, the share another breaks too."""
    title = "Who breaks what"
    group = ranked(material)[0]
    judged = group.judged[0]
    fallen = judged.right["clean"] & ~judged.survivors
    if len(judged.attacks) < 2 or not fallen.any():
        return Missing(title, f"needs two attacks that break something; {judged_by(material, 'standard')}.")
    if not all(judged.exact(name) for name in judged.attacks):
        whole = (
            "advkd eval RUN cascade=false" if material.comparison is None else judged_by(material, "quick")
        )
        return Missing(title, f"attacks were tried on what earlier ones had left; {whole}.")
    names = judged.attacks
    broken = [judged.broken(name) for name in names]
    cells = [[_share(a & b, a) for b in broken] for a in broken]
    counts = [f"{name} ({int(judged.broken(name).sum())})" for name in names]
    alone = {name: int((judged.broken(name) & ~_others(judged, name)).sum()) for name in names}
    first = "First seed only, " if len(group.judged) > 1 else ""
    only = ", ".join(f"{name} {n}" for name, n in alone.items() if n) or "none"
    return Figure(
        key="breaks",
        title=title,
        body=heat(
            "breaks",
            f"Share of images broken by one attack that another breaks too, {group.name}",
            ("broken by", names, counts),
            cells,
        ),
        caption=f"{group.name}: {int(fallen.sum())} of {material.images} are right when clean and broken by "
        "some attack. Each row takes those its attack breaks (their number in brackets); the cells say "
        "which share of them the attack of the column breaks as well. Broken by one "
        f"attack alone: {only}. {first}{material.threat}.",
        wide=len(names) > NARROW,
    )


def survivors(material: Material) -> Figure | Missing:
    """Of the images one method keeps, the share another keeps too."""
    title = "Who survives what"
    groups = chosen.told_apart(material)
    if len(groups) < 2:
        return Missing(title, "needs two methods; advkd compare, or advkd report RUN RUN.")
    kept = [group.judged[0].survivors for group in groups]
    cells = [[_share(a & b, a) for b in kept] for a in kept]
    every = int(np.all(kept, axis=0).sum())
    nobody = int((~np.any(kept, axis=0)).sum())
    return Figure(
        key="survivors",
        title=title,
        body=heat(
            "survivors",
            "Share of images that survive under one method and under another too",
            ("survives under", [g.name for g in groups], [g.name for g in groups]),
            cells,
        ),
        caption=f"Each row takes the images on which its method stands; the cells say which share of them "
        f"the method of the column keeps too. {every} of {material.images} survive under all, {nobody} under "
        f"none: only the rest tell methods apart.{chosen.said(material)} "
        f"First seed of each, {material.threat}.",
        wide=len(groups) > NARROW,
    )


def _mean_by_class(group: Group) -> list[float | None]:
    columns = zip(*[judged.by_class for judged in group.judged], strict=True)
    known = [[share for share in column if share is not None] for column in columns]
    return [fmean(shares) if shares else None for shares in known]


def _hardest_first(cells: Sequence[Sequence[float | None]]) -> list[int]:
    """The classes by their mean over methods; last those without an image."""
    known = [[share for share in column if share is not None] for column in zip(*cells, strict=True)]
    means = [fmean(shares) if shares else 1.0 for shares in known]
    return sorted(range(len(means)), key=lambda i: (not known[i], means[i]))


def _share(part: Bits, whole: Bits) -> float | None:
    return float(part.sum() / whole.sum()) if whole.any() else None


def _others(judged: Judged, name: str) -> Bits:
    found: Bits = np.any([judged.broken(other) for other in judged.attacks if other != name], axis=0)
    return found
