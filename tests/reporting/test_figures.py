"""Figures show what they say, in the page's colours, and nothing from outside."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from advkd.reporting import report
from advkd.reporting.figures import drawn
from advkd.reporting.figures.canvas import Missing, style
from advkd.reporting.figures.chosen import MOST
from advkd.reporting.figures.overlap import breaks, classes, survivors
from advkd.reporting.figures.paths import png, strips
from advkd.reporting.figures.scatter import best_for_their_cost, clean_robust, pareto
from advkd.reporting.figures.training import training
from advkd.reporting.figures.weights import binned, weights
from advkd.reporting.gather import gathered
from advkd.reporting.material import Group, History, Judged, Material, Paths, Row, Strips
from advkd.reporting.table import legend, methods
from advkd.reporting.words import ranked

YES = np.ones(8, dtype=bool)


def judged(**attacks):
    """Eight images, all right when clean; each attack breaks those it names."""
    right = {"clean": YES, **{name: ~np.isin(np.arange(8), broken) for name, broken in attacks.items()}}
    terms = {"threat": "linf eps 0.1", "images": "x", "attacks": "y"}
    return Judged(shown="here", terms=terms, right=right, tried=dict.fromkeys(right, YES))


def row(name, found, seconds=1.0, seed=0):
    none = np.array([])
    history = History(clean=none, robust=none, loss=none, cost={"train_seconds": seconds})
    return Row(name=name, seed=seed, folder=Path(name), judged=found, history=history)


def cells(body):
    return re.findall(r"<td[^>]*>(.*?)</td>", body)


def test_every_figure_of_a_comparison_is_drawn(compared):
    figures, missing = drawn(gathered([compared]))
    assert not missing
    for figure in figures:
        assert len(figure.caption) > 60, figure.key
        assert re.search(r"linf eps 0\.2", figure.caption) or figure.key == "curve-eps"
        assert re.search(r"\d+ (test |validation )?images|validation images|weight", figure.caption)
        for described in re.findall(r'<svg role="img" aria-label="([^"]*)"', figure.body):
            assert f"<title>{described}</title>" in figure.body


def test_nothing_of_matplotlib_is_left(compared, tmp_path):
    page = report(compared, tmp_path).read_text()
    assert page.count("<svg") > 10
    assert "http" not in page
    assert not re.search(r"#0[123]0[123]0[123]|#0a00", page)
    assert "DejaVu" not in page
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    for used in re.findall(r'(?:href="|url\()#([^")]+)', page):
        assert used in ids
    # colours come from the page: black and white are the only fixed ones matplotlib may write
    drawings = "".join(re.findall(r"<svg.*?</svg>", page, re.DOTALL))
    assert not re.findall(r"(?:fill|stroke): ?#(?!000000|ffffff)\w+", drawings)


def test_the_front_leaves_out_what_something_cheaper_beats():
    rows = [
        row("cheap", judged(pgd=[0, 1, 2, 3]), 1.0),
        row("worse", judged(pgd=[0, 1, 2, 3, 4]), 2.0),
        row("same", judged(pgd=[0, 1, 2, 3]), 3.0),
        row("best", judged(pgd=[0]), 4.0),
    ]
    front = best_for_their_cost(Material(rows=rows).groups, "train_seconds")
    assert [group.name for group in front] == ["cheap", "best"]


def test_costs_that_are_told_as_equal_are_on_the_front():
    rows = [row("a", judged(pgd=[0, 1]), 1.0), row("b", judged(pgd=[0]), 1.005), row("c", judged(), 1.02)]
    front = best_for_their_cost(Material(rows=rows).groups, "train_seconds")
    assert [group.name for group in front] == ["b", "c"]


def test_who_breaks_what():
    material = Material(rows=[row("a", judged(fgsm=[0, 1], pgd=[1, 2, 3, 4]))])
    figure = breaks(material)
    assert cells(figure.body) == ["100", "50", "25", "100"]
    assert "5 of 8 test images" in figure.caption
    assert "Broken by one attack alone: fgsm 1, pgd 3" in figure.caption


def test_who_breaks_what_says_which_seed_it_counts():
    one, two = judged(fgsm=[0, 1], pgd=[1, 2]), judged(fgsm=[5], pgd=[6])
    figure = breaks(Material(rows=[row("a", one), row("a", two, seed=1)]))
    assert "3 of 8 test images" in figure.caption
    assert "First seed only" in figure.caption
    assert "First seed" not in breaks(Material(rows=[row("a", one)])).caption


def test_what_was_not_tried_has_no_overlap_and_a_bound_for_an_accuracy():
    found = judged(fgsm=[0, 1], pgd=[2])
    # a cascade: the second attack never saw what the first had broken
    found.tried["pgd"] = ~np.isin(np.arange(8), [0, 1])
    material = Material(rows=[row("a", found)])
    assert isinstance(breaks(material), Missing)
    heads, [(_, shown)] = methods(material)
    assert [shown[heads.index(name)].text for name in ("fgsm", "pgd")] == ["75.0", "≤ 87.5"]
    assert "≤: run only on images that earlier attacks had not broken" in legend(
        Material(rows=[row("a", found), row("b", found)])
    )


def test_who_survives_what():
    rows = [row("a", judged(pgd=[0, 1, 2, 3])), row("b", judged(pgd=[0, 1, 2, 3, 4, 5]))]
    figure = survivors(Material(rows=rows))
    assert cells(figure.body) == ["100", "50", "100", "100"]
    assert "2 of 8 test images survive under all, 4 under none" in figure.caption


def test_classes_are_means_over_seeds():
    first, second = judged(pgd=[0]), judged(pgd=[1])
    object.__setattr__(first, "by_class", [1.0, 0.5, None])
    object.__setattr__(second, "by_class", [0.5, 0.5, None])
    figure = classes(Material(rows=[row("a", first), row("a", second, seed=1)]))
    assert cells(figure.body) == ["75", "50", "-"]


def test_of_many_classes_the_hardest_are_shown():
    found = judged(pgd=[0])
    shares = [None, *[i / 100 for i in range(30)][::-1]]
    object.__setattr__(found, "by_class", shares)
    figure = classes(Material(rows=[row("a", found)]))
    assert cells(figure.body) == [str(i) for i in range(20)]
    assert re.findall(r'col"><span class="name">(\d+)<', figure.body) == [str(30 - i) for i in range(20)]
    assert "Of 31 classes the 20 hardest" in figure.caption


def test_curves_of_training_have_the_marks_of_their_methods():
    def trained(name):
        made = row(name, judged(pgd=[0]))
        curve = np.linspace(0.1, 0.5, 4)
        return replace(made, history=replace(made.history, clean=curve, robust=curve, loss=curve))

    rows = [trained(f"m{i}") for i in range(MOST)]
    shown = training(Material(rows=rows))
    signs = {(colour, glyph) for colour, glyph, name in shown.legend if name.startswith("m")}
    assert len(signs) == MOST
    assert len(set(re.findall(r'xlink:href="#(training-\w+)"', shown.body))) >= MOST


@pytest.mark.parametrize("channels", [1, 3])
def test_a_strip_holds_every_image(channels):
    x = np.random.default_rng(0).integers(0, 256, (5, channels, 8, 8), dtype=np.uint8)
    image = Image.open(io.BytesIO(base64.b64decode(png(x).split(",")[1])))
    pixels = np.asarray(image)
    tile = pixels.shape[1] // 5
    gap = (tile - 64) // 2
    for t in range(5):
        inside = pixels[4::8, t * tile + gap + 4 : (t + 1) * tile - gap : 8]
        assert (inside[..., 3] == 255).all()
        assert np.array_equal(inside[..., :3], np.broadcast_to(x[t].transpose(1, 2, 0), (8, 8, 3)))
        assert (pixels[:, t * tile, 3] == 0).all()


def test_long_trainings_are_binned():
    table = np.arange(200.0)[:, None] * np.ones(3)
    short = binned(table, 30)
    assert short.shape == (30, 3)
    assert short.mean() == pytest.approx(table.mean(), rel=0.05)
    assert np.array_equal(binned(table[:7], 30), table[:7])


def test_one_student_is_shown_with_its_own_interval():
    group = Group("a", 0, [row("a", judged(pgd=[0, 1]))])
    low, high = group.spread("robust")
    assert low < 0.75 < high
    assert group.sd("robust") is None


def test_bars_are_called_what_they_are():
    rows = [row("a", judged(pgd=[0, seed]), seed=seed) for seed in (0, 1)]
    one = [replace(mine, name="b") for mine in rows[:1]]
    both = Material(rows=[*rows, *one])
    assert "mean ± SD over seeds, of single seeds 95 % Wilson intervals" in clean_robust(both).caption
    assert "Bars: mean ± SD over seeds;" in clean_robust(Material(rows=rows)).caption
    assert "of single seeds" in pareto(both).caption


def test_a_name_is_never_read_as_a_formula():
    rows = [row(name, judged(pgd=[0])) for name in ("a $x^", "b")]
    assert "a $x^" in clean_robust(Material(rows=rows)).body
    terms = {"hard $x_": np.ones((3, 4))}
    weighed = [replace(one, history=replace(one.history, weights=terms)) for one in rows]
    assert "hard $x_" in weights(Material(rows=weighed)).body


def test_no_two_methods_look_alike():
    looks = [style(Group("any", index, ())) for index in range(40)]
    assert len({(one["color"], one["marker"]) for one in looks}) == 40


def test_of_more_methods_than_can_be_told_apart_the_best_have_lines():
    rows = [row(f"m{i}", judged(pgd=[*range(i % 8)]), seconds=1.0 + i) for i in range(MOST + 3)]
    material = Material(rows=rows)
    scatter, cost = clean_robust(material), pareto(material)
    weakest = {group.name for group in ranked(material)[MOST:]}
    for shown in (scatter.legend, cost.legend, survivors(material).body):
        assert len(found := set(re.findall(r"m\d+", str(shown)))) == MOST
        assert not weakest & found
    assert scatter.legend[MOST][2] == "3 others, in the table"
    assert all(f"{name} 100.0 clean" in scatter.body for name in weakest)
    assert f"The {MOST} most robust of {MOST + 3} methods." in survivors(material).caption
    few = Material(rows=rows[:MOST])
    assert len(clean_robust(few).legend) == MOST
    assert "most robust of" not in survivors(few).caption


def test_a_method_on_the_front_has_a_mark_however_weak_it_is():
    rows = [row(f"m{i}", judged(pgd=[]), seconds=2.0 + i) for i in range(MOST)]
    figure = pareto(Material(rows=[*rows, row("cheap", judged(pgd=[0]))]))
    assert [name for *_, name in figure.legend] == [*(f"m{i}" for i in range(MOST)), "cheap"]


def test_paths_are_those_of_a_student_that_has_a_teacher():
    def walked(*nets):
        steps = {net: np.zeros((2, 1)) for net in nets}
        said = {net: np.zeros((2, 1), dtype=np.int64) for net in nets}
        strip = Strips(
            x=np.zeros((2, 1, 1, 4, 4), dtype=np.uint8),
            goal=None,
            margin=steps,
            said=said,
            right={net: np.ones(2) for net in nets},
        )
        return Paths(
            y=np.zeros(1, dtype=np.int64), n=1, threat="linf eps 0.1", branches={"untargeted": strip}
        )

    alone = replace(row("alone", judged(pgd=[])), paths=walked("student"))
    taught = replace(row("taught", judged(pgd=[0])), paths=walked("student", "teacher"))
    assert strips(Material(rows=[alone, taught])).caption.startswith("taught,")
    assert strips(Material(rows=[alone])).caption.startswith("alone,")
