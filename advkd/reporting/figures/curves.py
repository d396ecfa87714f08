"""The sanity curves of audits: accuracy against eps, steps and restarts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from advkd.reporting.figures import chosen
from advkd.reporting.figures.canvas import FAINT, Figure, Missing, legend, style, svg
from advkd.reporting.material import Judged, Material
from advkd.reporting.words import judged_by

AXES = {
    "eps": (
        "Accuracy against eps",
        "eps",
        "PGD of 20 steps. Accuracy must fall as eps grows, to none once eps allows any image (a flag tells "
        "if it does not; a point far to the right is left out); dotted: the eps of the verdict.",
    ),
    "steps": (
        "Accuracy against attack steps",
        "steps of PGD",
        "A curve that still falls at its right end says that the attack has not converged.",
    ),
    "restarts": (
        "Accuracy against restarts",
        "restarts of PGD",
        "A curve that still falls says that chance decides which images break: more restarts help.",
    ),
}


def eps(material: Material) -> Figure | Missing:
    """Accuracy against eps."""
    return _drawn(material, "eps")


def steps(material: Material) -> Figure | Missing:
    """Accuracy against the steps of the attack."""
    return _drawn(material, "steps")


def restarts(material: Material) -> Figure | Missing:
    """Accuracy against restarts of the attack."""
    return _drawn(material, "restarts")


def _drawn(material: Material, axis: str) -> Figure | Missing:
    title, label, reads = AXES[axis]
    groups = [group for group in chosen.told_apart(material) if _points(group.judged[0], axis)]
    if not groups:
        return Missing(title, f"no audit with a curve over {axis}; {judged_by(material, 'standard')}.")

    def draw(drawing: Any) -> None:
        axes = drawing.subplots()
        for group in groups:
            points = _points(group.judged[0], axis)
            axes.plot(*zip(*[(x, 100 * y) for x, y, _ in points], strict=True), **style(group))
        if axis == "eps":
            axes.axvline(_eps(groups[0].judged[0]), color=FAINT, lw=1, ls=":")
        else:
            axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set(xlabel=label, ylabel="accuracy in %", ylim=(-3, 103))

    n = _points(groups[0].judged[0], axis)[0][2]
    ends = "; ".join(
        f"{g.name} from {100 * p[0][1]:.0f} at {p[0][0]:g} to {100 * p[-1][1]:.0f} at {p[-1][0]:g}"
        for g in groups
        if (p := _points(g.judged[0], axis))
    )
    first = " First seed of each method." if any(len(g.rows) > 1 for g in groups) else ""
    under = "" if axis == "eps" else f", {material.threat}"
    return Figure(
        key=f"curve-{axis}",
        title=title,
        body=svg(f"curve-{axis}", f"Accuracy in per cent against {label}: {ends}", draw),
        legend=legend(groups),
        caption=f"{reads}{first}{chosen.said(material)} {n} images{under}.",
    )


def _points(judged: Judged, axis: str) -> Sequence[tuple[float, float, int]]:
    known = (judged.audit or {}).get("curves", [])
    found = [(p["value"], p["accuracy"], p["n"]) for p in known if p["axis"] == axis]
    if axis == "eps" and len(found) > 2 and found[-1][0] > 2 * found[-2][0]:
        del found[-1]
    return found if len(found) > 1 else []


def _eps(judged: Judged) -> float:
    assert judged.audit is not None
    return float(judged.audit["options"]["threat"]["eps"])
