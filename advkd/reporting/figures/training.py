"""Validation accuracy over training, with the best and the last epoch."""

from __future__ import annotations

from typing import Any

from advkd.reporting.figures import chosen
from advkd.reporting.figures.canvas import INK, Figure, Missing, legend, style, svg
from advkd.reporting.material import Group, Material, Row
from advkd.reporting.words import trained
from advkd.result import percent

SIGNS = 5
"""Markers on a curve, about."""


def training(material: Material) -> Figure | Missing:
    """Clean and robust validation accuracy of every student by epoch."""
    title = "Training"
    groups = [g for g in chosen.told_apart(material) if any(_known(row) for row in g.rows)]
    if not groups:
        return Missing(title, "no metrics.jsonl beside the network; advkd run leaves one.")

    def draw(drawing: Any) -> None:
        panels = drawing.subplots(2, sharex=True, gridspec_kw={"hspace": 0.12})
        for axes, what in zip(panels, ("clean", "robust"), strict=True):
            for group in groups:
                for row in filter(_known, group.rows):
                    _curve(axes, row, what, group)
            axes.set_ylabel(f"{what} in %")
        panels[1].set_xlabel("epoch")
        panels[1].xaxis.get_major_locator().set_params(integer=True)

    said = "; ".join(_said(row) for group in groups for row in group.rows if _known(row))
    marks = [("var(--ink)", "○", "best, kept"), ("var(--ink)", "|", "last")]
    return Figure(
        key="training",
        title=title,
        body=svg("training", f"Validation accuracy by epoch. {said}", draw, 3.8),
        legend=[*legend(groups), *marks],
        caption="Accuracy on validation images after every epoch, robust accuracy under the short "
        "attack used for validation. A robust curve that drops from its peak is overfitting. One line per "
        f"student.{chosen.said(material)} {trained([row for group in groups for row in group.rows])}",
    )


def _known(row: Row) -> bool:
    return row.history is not None and len(row.history.clean) > 0


def _curve(axes: Any, row: Row, what: str, group: Group) -> None:
    history = row.history
    assert history is not None
    values = 100 * getattr(history, what)
    if len(values) != len(history.clean):
        return
    epochs = range(1, len(values) + 1)
    # few, and not all at the same epochs, or many curves would hide each other's
    apart = max(1, len(values) // SIGNS)
    axes.plot(epochs, values, **style(group), ms=4, markevery=(group.index % apart, apart))
    axes.plot(history.best + 1, values[history.best], "o", mfc="none", mec=INK, ms=8)
    axes.plot(len(values), values[-1], "|", color=INK, ms=9)


def _said(row: Row) -> str:
    history = row.history
    assert history is not None
    seed = "" if row.seed is None else f" seed {row.seed}"
    last = percent(history.robust[-1]) if len(history.robust) else "-"
    best = percent(history.robust[history.best]) if len(history.robust) else "-"
    return f"{row.name}{seed}: robust {best} at epoch {history.best + 1}, {last} at the last"
