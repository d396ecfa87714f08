"""Clean against robust accuracy, and robust accuracy against what training cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from advkd.reporting.figures import chosen
from advkd.reporting.figures.canvas import FAINT, INK, RULE, Figure, Missing, legend, style, svg
from advkd.reporting.material import Group, Material
from advkd.reporting.teacher import teacher
from advkd.reporting.words import ALIKE, SECONDS, TFLOP, cost_key
from advkd.result import percent

OTHERS: dict[str, Any] = {"color": FAINT, "marker": ".", "ls": "none", "ms": 5, "alpha": 0.6}
"""Methods that have no mark of their own."""

TEACHER = ("var(--ink)", "☆", "teacher")
AXES = {
    SECONDS: ("seconds of training", "Wall time of training the student on the machine of these runs"),
    TFLOP: (
        "TFLOP of training",
        "Floating point operations of training the student, without validation, counted on steps of its run",
    ),
}
"""By what cost is shown in: the axis, and what it is."""


def clean_robust(material: Material) -> Figure | Missing:
    """Every method at its clean and robust accuracy, with intervals."""
    groups, shown = chosen.told_apart(material), teacher(material)
    rest = chosen.left(material)

    def draw(drawing: Any) -> None:
        axes = drawing.subplots()
        axes.plot(*_means(rest, "clean"), **OTHERS)
        for group in groups:
            _cross(axes, group)
        if shown is not None:
            axes.plot(100 * shown.clean, 100 * shown.robust, "*", mec=INK, mfc="none", ms=11)
        axes.set(xlabel="clean accuracy in %", ylabel="robust accuracy in %")
        axes.margins(0.08)

    said = "; ".join(
        f"{g.name} {percent(g.mean('clean'))} clean, {percent(g.mean('robust'))} robust"
        for g in material.groups
    )
    return Figure(
        key="clean-robust",
        title="Clean against robust",
        body=svg("clean-robust", f"Clean and robust accuracy in per cent: {said}", draw),
        legend=[*legend(groups), *_counted(rest), *([TEACHER] if shown else [])],
        caption=f"Up and to the right is better. Bars: {_bars(groups)}; the verdicts, not the "
        f"bars, say whether two methods differ. {material.images}, {material.threat}.",
    )


def pareto(material: Material) -> Figure | Missing:
    """Robust accuracy against what training cost; the front joins what nothing cheaper beats."""
    title, key = "Robust accuracy against cost", cost_key(material.groups)
    groups = [group for group in material.groups if group.mean(key)]
    if len(groups) < 2:
        return Missing(title, "needs two trained methods; advkd compare, or advkd report RUN RUN.")
    front, (label, what) = best_for_their_cost([g for g in groups if not g.apart], key), AXES[key]
    marked = {group.name for group in [*chosen.told_apart(material), *front]}
    own, rest = ([g for g in groups if (g.name in marked) == kept] for kept in (True, False))

    def draw(drawing: Any) -> None:
        axes = drawing.subplots()
        axes.plot(*_means(rest, key, 1), **OTHERS)
        for group in own:
            low, high = group.spread("robust")
            mean = 100 * (group.mean("robust") or 0)
            bars = [[mean - 100 * low], [100 * high - mean]]
            axes.errorbar(group.mean(key), mean, yerr=bars, **style(group), ms=7, elinewidth=1)
        axes.step(*_means(front, key, 1), where="post", color=FAINT, lw=1, ls="--", zorder=0)
        if shown := teacher(material):
            _level(axes, 100 * shown.robust)
        axes.set(xlabel=label, ylabel="robust accuracy in %")
        axes.set_xlim(left=0)
        axes.margins(0.1)

    names, kind = ", ".join(group.name for group in front), "ranked " * any(g.apart for g in groups)
    return Figure(
        key="pareto",
        title=title,
        body=svg("pareto", f"Robust accuracy against {label}; on the front: {names}", draw),
        legend=[*legend(own), *_counted(rest)],
        caption=f"The dashed Pareto front joins {kind}methods that no cheaper one matches: {names}. {what}, "
        f"without its teacher's training. Bars: {_bars(own)}. {material.images}, {material.threat}.",
    )


def best_for_their_cost(groups: Sequence[Group], key: str) -> list[Group]:
    """The methods, cheapest first, that are more robust than everything as cheap."""
    front: list[Group] = []
    at = [(group.mean(key) or 0, group.mean("robust") or 0, group) for group in groups]
    for cost, robust, group in sorted(at, key=lambda one: (one[0], -one[1])):
        beaten = any(other > robust for least, other, _ in at if least <= ALIKE * cost)
        if not beaten and (not front or robust > (front[-1].mean("robust") or 0)):
            front.append(group)
    return front


def _means(groups: Sequence[Group], what: str, unit: float = 100) -> tuple[list[float], list[float]]:
    """Where methods stand: the mean of `what`, in its unit, and of robust accuracy in per cent."""
    across = [unit * (group.mean(what) or 0) for group in groups]
    return across, [100 * (group.mean("robust") or 0) for group in groups]


def _counted(rest: Sequence[Group]) -> list[tuple[str, str, str]]:
    return [("var(--faint)", "·", f"{len(rest)} others, in the table")] if rest else []


def _bars(groups: Sequence[Group]) -> str:
    """What the bars are: a method of one seed has no SD."""
    many = {len(group.judged) > 1 for group in groups}
    names = {True: "mean ± SD over seeds", False: "95 % Wilson intervals"}
    return names[many.pop()] if len(many) == 1 else f"{names[True]}, of single seeds {names[False]}"


def _cross(axes: Any, group: Group) -> None:
    """A method's mean with its bars, and a dot for each of its students."""
    at = [100 * (group.mean(what) or 0) for what in ("clean", "robust")]
    bars = [
        [[mean - 100 * low], [100 * high - mean]]
        for mean, (low, high) in zip(at, (group.spread(what) for what in ("clean", "robust")), strict=True)
    ]
    axes.errorbar(*at, xerr=bars[0], yerr=bars[1], **style(group), ms=7, elinewidth=1)
    if len(group.judged) > 1:
        dots = zip(group.values("clean"), group.values("robust"), strict=True)
        look = style(group)
        for clean, robust in dots:
            axes.plot(100 * clean, 100 * robust, **look, ms=3, alpha=0.5, mec=RULE, mew=0.3)


def _level(axes: Any, robust: float) -> None:
    """The teacher, whose training is not in the cost, as a line."""
    axes.axhline(robust, color=FAINT, lw=1, ls=":")
    place = {"xycoords": ("axes fraction", "data"), "xytext": (0, 2), "textcoords": "offset points"}
    axes.annotate("teacher", (1, robust), ha="right", color=FAINT, **place)
