"""One module per figure: `material` in, a `Figure` out, or a `Missing` that says why not."""

from __future__ import annotations

from advkd.reporting.figures import curves, overlap, paths, scatter, training, weights
from advkd.reporting.figures.canvas import Figure, Missing
from advkd.reporting.material import Material

DRAWN = (
    scatter.clean_robust,
    scatter.pareto,
    paths.strips,
    paths.still_right,
    curves.eps,
    training.training,
    weights.weights,
    curves.steps,
    curves.restarts,
    overlap.classes,
    overlap.breaks,
    overlap.survivors,
)


def drawn(material: Material) -> tuple[list[Figure], list[Missing]]:
    """Every figure of a report in its order, and those that have no data."""
    found = [draw(material) for draw in DRAWN] if material.groups else []
    return [f for f in found if isinstance(f, Figure)], [m for m in found if isinstance(m, Missing)]
