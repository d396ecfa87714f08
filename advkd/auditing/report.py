"""What an audit leaves: `result.json`, and its section of `report.html` with pictures inside."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from advkd import weights
from advkd.auditing.curves import ONE_STEP, Point
from advkd.auditing.verdict import Verdict
from advkd.folder import RESULT

REPORT = "report.html"
LABELS = {"eps": "eps", "steps": "steps of PGD", "restarts": "restarts of PGD-20"}


def write(folder: Path, verdict: Verdict) -> None:
    """Writes both files."""
    weights.atomic(folder / REPORT, html(verdict).encode())
    weights.atomic(folder / RESULT, (json.dumps(verdict.about, indent=2) + "\n").encode())


def html(verdict: Verdict) -> str:
    """One self-contained page."""
    text = files("advkd.auditing").joinpath("report.html").read_text(encoding="utf-8")
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    page.filters["percent"] = percent
    return page.from_string(text).render(
        verdict=verdict, about=verdict.about, pictures=pictures(verdict.points), names=names(verdict)
    )


def percent(share: float | Sequence[float] | None) -> str:
    """A share as per cent, a dash for none; a range as both of its ends, or once where they agree."""
    if share is None:
        return "-"
    if isinstance(share, (int, float)):
        return f"{100 * share:.1f}"
    low, high = (f"{100 * end:.1f}" for end in share)
    return low if low == high else f"{low} to {high}"


def names(verdict: Verdict) -> list[str]:
    """Every attack of any row, in the order of the suite."""
    return list(dict.fromkeys(name for row in verdict.rows.values() for name in row.entries))


def pictures(points: Sequence[Point]) -> dict[str, str]:
    """The sanity curves as SVG by axis."""
    found = {}
    for axis in dict.fromkeys(point.axis for point in points if point.axis != ONE_STEP):
        chosen = [(p.value, 100 * p.accuracy) for p in points if p.axis == axis]
        if len(chosen) > 1:
            found[axis] = _curve(chosen, LABELS[axis])
    return found


def _curve(points: list[tuple[float, float]], label: str) -> str:
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with rc_context({"svg.fonttype": "none", "svg.hashsalt": label}):
        figure = Figure(figsize=(4.2, 2.8), layout="constrained")
        axes: Any = figure.subplots()
        axes.plot(*zip(*points, strict=True), marker="o", color="#2563eb")
        axes.set(xlabel=label, ylabel="accuracy in %", ylim=(-2, 102))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        figure.patch.set_alpha(0)
        buffer = io.StringIO()
        FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None})  # type: ignore[no-untyped-call]
    text = buffer.getvalue()
    return text[text.index("<svg") :]
