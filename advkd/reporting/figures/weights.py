"""Where along the path the weights of a method lie, over training."""

from __future__ import annotations

from typing import Any

import numpy as np

from advkd.reporting.figures.canvas import INK, Figure, Missing, colour, svg
from advkd.reporting.material import Floats, Material, Row
from advkd.reporting.words import called, ranked, trained

COLUMNS = 30
"""At most; longer trainings show the mean of neighbouring epochs."""


def weights(material: Material) -> Figure | Missing:
    """The mean weight of every path point by epoch, of the most robust method that weighs its paths."""
    title = "Weights along the path"
    row = _shown(material)
    if row is None or row.history is None:
        return Missing(
            title,
            "no weights in metrics.jsonl; advkd run leaves them where a term covers a path.",
        )
    terms = row.history.weights
    most = max(float(np.nanmax(table)) for table in terms.values()) or 1.0

    blank = any(np.isnan(table).any() for table in terms.values())

    def draw(drawing: Any) -> None:
        panels = drawing.subplots(len(terms), squeeze=False, sharex=True, gridspec_kw={"hspace": 0.3})[:, 0]
        for axes, (term, table) in zip(panels, terms.items(), strict=True):
            _shade(axes, binned(table, COLUMNS), len(table), most)
            axes.set_title(term, fontsize=9.5, loc="left")
            axes.set_ylabel("point")
        panels[-1].set_xlabel("epoch")

    said = "; ".join(_said(term, table) for term, table in terms.items())
    return Figure(
        key="weights",
        title=title,
        body=svg(
            "weights", f"Mean weight of every path point by epoch. {said}", draw, 0.6 + 1.6 * len(terms), 0.3
        ),
        caption=f"{called(row)}: mean normalised weight of every path point (0 clean, the last the "
        f"strongest) over training; the stronger the colour, the more it counts, up to {most:.2f}. Even "
        "shading means that the weighting does not choose; a band that moves follows the student. "
        f"{'Where nothing is drawn the term does not count yet. ' * blank}{trained([row])}",
    )


def _shown(material: Material) -> Row | None:
    rows = [row for group in ranked(material) for row in group.rows if row.history and row.history.weights]
    return rows[0] if rows else None


def _said(term: str, table: Floats) -> str:
    counting = np.flatnonzero(~np.isnan(table[:, 0]))
    first, last = (int(table[epoch].argmax()) for epoch in (counting[0], counting[-1]))
    return f"{term}: heaviest point {first} at first, {last} at last"


def binned(table: Floats, columns: int) -> Floats:
    """A table (E,T) of at most `columns` rows: means of neighbouring epochs."""
    if len(table) <= columns:
        return table
    parts = np.array_split(table, columns)
    # the mean of the epochs that count, and none where none does
    counting = [part[~np.isnan(part[:, 0])] for part in parts]
    return np.stack([part.mean(0) if len(part) else np.full(table.shape[1], np.nan) for part in counting])


def _shade(axes: Any, table: Floats, epochs: int, most: float) -> None:
    from matplotlib.patches import Rectangle

    wide = epochs / len(table)
    for i, row in enumerate(table):
        for k, weight in enumerate(row):
            share = float(weight) / most
            # NaN, where the term does not count, fails this too
            if share > 0.005:
                box = Rectangle((0.5 + i * wide, k - 0.5), wide, 1, fc=colour(0), alpha=share, lw=0)
                axes.add_patch(box)
    axes.set(xlim=(0.5, epochs + 0.5), ylim=(-0.5, table.shape[1] - 0.5))
    axes.grid(visible=False)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.tick_params(colors=INK, length=2)
