"""What is drawn in a figure is what the numbers are: lines, marks and bars stand where they say."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
from markupsafe import Markup
from matplotlib.figure import Figure as Drawing

from advkd.reporting.material import History, Judged, Material, Paths, Row, Scores, Strips

FIGURES = ("scatter", "curves", "training", "weights", "paths")
AT = np.arange(20)
CURVES = [
    {"axis": axis, "value": value, "accuracy": accuracy, "n": 20}
    for axis, points in {"eps": ((0, 0.9), (0.1, 0.5), (0.2, 0.1)), "steps": ((5, 0.6), (20, 0.4))}.items()
    for value, accuracy in points
]


def module(name):
    return importlib.import_module(f"advkd.reporting.figures.{name}")


@pytest.fixture
def seen(monkeypatch):
    """The drawings that figures make, by key."""
    found = {}

    def svg(key, says, draw, *sizes, **more):
        found[key] = Drawing()
        draw(found[key])
        return Markup("")

    for name in FIGURES:
        monkeypatch.setattr(module(name), "svg", svg)
    return found


def judged(clean, robust, teacher=None):
    """Of 20 images as many are right, before and after the attack."""
    right = {"clean": clean > AT, "pgd": robust > AT}
    terms = {"threat": "linf eps 0.1", "images": "x", "attacks": "y"}
    audit = {"curves": CURVES, "options": {"threat": {"eps": 0.1}}}
    everyone = dict.fromkeys(right, np.ones(20, dtype=bool))
    return Judged(shown="here", terms=terms, right=right, tried=everyone, teacher=teacher, audit=audit)


def row(name, found, **history):
    none = np.array([])
    history = {"clean": none, "robust": none, "loss": none, "cost": {"train_seconds": 1.0}} | history
    threat = {"threat": {"norm": "linf", "eps": 0.2, "box": [0, 1]}}
    return Row(name=name, seed=0, folder=Path(name), judged=found, history=History(**history), config=threat)


def points(line):
    return np.asarray(line.get_xydata()).tolist()


def bars(container):
    """The ends of the bars, the horizontal ones first."""
    return [np.asarray(bar.get_segments()[0]).tolist() for bar in container.lines[2]]


def test_methods_stand_at_their_accuracies_and_the_teacher_at_its_own(seen):
    teacher = Scores(0.95, 0.7, 20)
    rows = [row("a", judged(18, 6, teacher)), row("b", judged(16, 10, teacher), cost={"train_seconds": 5.0})]
    material = Material(rows=rows)
    module("scatter").clean_robust(material)
    (axes,) = seen["clean-robust"].axes
    assert [points(one.lines[0]) for one in axes.containers] == [[[90, 30]], [[80, 50]]]
    first = material.groups[0]
    for bar, what, other in zip(bars(axes.containers[0]), ("clean", "robust"), (30, 90), strict=True):
        ends = [100 * end for end in first.spread(what)]
        along = 0 if what == "clean" else 1
        assert [end[along] for end in bar] == pytest.approx(ends)
        assert {end[1 - along] for end in bar} == {other}
    (star,) = (line for line in axes.lines if line.get_marker() == "*")
    assert points(star) == [[95, 70]]

    module("scatter").pareto(material)
    (axes,) = seen["pareto"].axes
    assert [points(one.lines[0]) for one in axes.containers] == [[[1, 30]], [[5, 50]]]
    assert [end[1] for end in bars(axes.containers[0])[0]] == pytest.approx(
        [100 * end for end in first.spread("robust")]
    )
    assert [70.0, 70.0] in [list(line.get_ydata()) for line in axes.lines]


def test_curves_of_training_are_those_of_their_panel_with_the_kept_epoch_marked(seen):
    clean, robust = np.array([0.5, 0.7, 0.8]), np.array([0.2, 0.4, 0.3])
    module("training").training(Material(rows=[row("a", judged(18, 6), clean=clean, robust=robust)]))
    for axes, values, what in zip(seen["training"].axes, (clean, robust), ("clean", "robust"), strict=True):
        curve, best, last = axes.lines
        assert axes.get_ylabel() == f"{what} in %"
        assert points(curve) == [[i + 1, 100 * value] for i, value in enumerate(values)]
        assert (points(best), points(last)) == ([[2, 100 * values[1]]], [[3, 100 * values[2]]])


def test_curves_of_an_audit_are_its_points(seen):
    for axis in ("eps", "steps"):
        getattr(module("curves"), axis)(Material(rows=[row("a", judged(18, 6))]))
        curve, *more = seen[f"curve-{axis}"].axes[0].lines
        assert points(curve) == [[p["value"], 100 * p["accuracy"]] for p in CURVES if p["axis"] == axis]
        assert [list(line.get_xdata()) for line in more] == ([[0.1, 0.1]] if axis == "eps" else [])


def test_weights_stand_at_their_epoch_and_point(seen):
    late = np.array([[np.nan, np.nan], [np.nan, np.nan], [0.25, 0.75], [0.5, 0.5]])
    always = np.array([[1.0, 0.0], [0.75, 0.25], [0.5, 0.5], [0.25, 0.75]])
    terms = {"early": always, "late": late}
    figure = module("weights").weights(Material(rows=[row("a", judged(18, 6), weights=terms)]))
    for axes, table in zip(seen["weights"].axes, terms.values(), strict=True):
        shades = {(patch.get_x() + 0.5, patch.get_y() + 0.5): patch.get_alpha() for patch in axes.patches}
        wanted = {
            (epoch + 1.0, float(point)): weight
            for epoch, weights in enumerate(table)
            for point, weight in enumerate(weights)
            if weight > 0
        }
        assert shades == wanted
        assert axes.get_xlim() == (0.5, 4.5)
    assert "does not count yet. Trained and validated under linf eps 0.2." in figure.caption


def test_margins_and_shares_along_a_path_are_those_of_its_networks(seen):
    margin = {"student": np.array([[0.9, 0.8], [0.1, -0.3], [-0.5, -0.7]]), "teacher": np.full((3, 2), 0.6)}
    strip = Strips(
        x=np.zeros((3, 2, 1, 4, 4), dtype=np.uint8),
        goal=None,
        margin=margin,
        said={net: np.array([[1, 2], [1, 0], [0, 2]]) for net in margin},
        right={"student": np.array([1.0, 0.5, 0.25]), "teacher": np.array([1.0, 1.0, 0.75])},
    )
    walked = Paths(
        y=np.array([1, 2]), n=40, threat="linf eps 0.1", branches={"untargeted": strip, "targeted": strip}
    )
    one = row("a", judged(18, 6))
    object.__setattr__(one, "paths", walked)
    figure = module("paths").strips(Material(rows=[one]))
    for i in range(2):
        lines = seen[f"margin-untargeted-{i}"].axes[0].lines
        shown = dict(zip(margin, ([y for _, y in points(line)] for line in lines), strict=False))
        assert shown == {net: values[:, i].tolist() for net, values in margin.items()}
    assert "class 1: taken for class 0, first at step 2<" in figure.body
    assert "class 2: taken for class 0, first at step 1; right again at the end<" in figure.body
    module("paths").still_right(Material(rows=[one]))
    lines = seen["still-right"].axes[0].lines
    assert [[y for _, y in points(line)] for line in lines] == [[100, 50, 25], [100, 100, 75]]
