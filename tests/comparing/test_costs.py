"""Costs are counted where they are known, told as equal where they are, and ranked on what all have."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from made_comparison import comparison
from torch.utils.data import TensorDataset

import advkd
from advkd.comparing.estimate import _summed, estimated, estimates
from advkd.reporting import report
from advkd.reporting.figures.scatter import pareto
from advkd.reporting.gather import compared as compared_rows
from advkd.reporting.gather import gathered
from advkd.reporting.material import Material
from advkd.reporting.page import html
from advkd.reporting.table import methods
from advkd.reporting.words import beneath, headline, ranked
from advkd.splits import split
from advkd.training.given import Given


@pytest.fixture(scope="module")
def failed_first(tmp_path_factory):
    """A comparison whose first cell has failed in the second seed of its method alone."""
    folder = comparison(tmp_path_factory.mktemp("failed") / "it")
    content = json.loads((folder / "result.json").read_text())
    content["rows"][0] |= {"state": "failed", "error": "planted", "audit": None}
    content["tflop"] = {"path-dual": 3.0, "rslad": 1.5}
    (folder / "result.json").write_text(json.dumps(content))
    return folder


def test_costs_are_counted_where_they_are_known(failed_first, tmp_path):
    material = gathered([failed_first])
    heads, rows = methods(material)
    assert "memory" not in heads
    assert {group.name: cells[heads.index("TFLOP")].text for group, cells in rows} == {
        "path-dual": "3",
        "rslad": "1.5",
    }
    assert "TFLOP (counted operations)" in beneath(material)
    first, other = ranked(material)
    content = {**material.comparison, "tflop": {first.name: 3.0, other.name: 1.5}}
    dearer = Material(rows=compared_rows(failed_first, content), comparison=content)
    assert f"2.0 times as much as {other.name}, the cheapest" in beneath(dearer)
    assert "TFLOP of training" in pareto(material).body
    assert "counted on steps" in pareto(material).caption
    page = report(failed_first, tmp_path).read_text()
    assert (
        "Wall times depend on what else the machine did and on the number of threads for each student: 1."
        in page
    )
    # without a count of everybody, time is all there is
    other = Material(rows=gathered([failed_first / "cells" / cell for cell in cells_of(failed_first)]).rows)
    assert "seconds of training" in pareto(other).body
    assert "(wall time)" in beneath(other)
    assert "memory" in methods(other)[0]


@pytest.mark.parametrize(
    ("tflop", "says"),
    [
        ((3.0, 3.0), "of training per student, as much as {other}."),
        ((3.0, 3.02), "of training per student, as much as {other}."),
        ((3.0, 2.98), "of training per student, as much as {other}."),
        ((3.0, 3.2), "of training per student, less than every other method."),
        ((3.2, 3.0), "of training per student, 1.07 times as much as {other}, the cheapest"),
    ],
)
def test_what_costs_the_same_is_said_to_cost_as_much(compared, tflop, says):
    first, other = ranked(gathered([compared]))
    told = dict(zip((first.name, other.name), tflop, strict=True))
    content = {**json.loads((compared / "result.json").read_text()), "tflop": told}
    material = Material(rows=compared_rows(compared, content), comparison=content)
    assert says.format(other=other.name) in beneath(material)


def test_of_three_costs_two_may_be_the_same(compared):
    rows = gathered([compared]).rows
    first, other = ranked(gathered([compared]))
    more = [replace(row, name="more") for row in rows if row.name == other.name]
    costs = {first.name: 1.0, other.name: 1.0, "more": 2.0}
    told = [costed(row, costs[row.name]) for row in (*rows, *more) if row.judged]
    said = beneath(Material(rows=told))
    assert said.endswith(f"as much as {other.name} and less than every other method.")


@pytest.mark.parametrize("turned", [False, True])
def test_a_method_shown_to_be_worse_is_no_cheaper_way(compared, turned):
    rows = [row for row in gathered([compared]).rows if row.judged]
    first, other = (group.name for group in ranked(gathered([compared])))
    more = [replace(row, name="more") for row in rows if row.name == other]
    pair = {"a": other, "b": first, "verdict": "worse"}
    if turned:
        pair = {"a": first, "b": other, "verdict": "better"}
    costs = {first: 4.0, other: 1.0, "more": 2.0}
    told = [costed(row, costs[row.name]) for row in (*rows, *more)]
    said = beneath(Material(rows=told, comparison={"methods": [pair]}))
    assert "2.0 times as much as more, the cheapest that is not shown to be worse, which" in said


def test_what_all_cheaper_methods_cost_is_told_though_they_are_worse(compared):
    rows = [row for row in gathered([compared]).rows if row.judged]
    first, other = (group.name for group in ranked(gathered([compared])))
    more = [replace(row, name="more") for row in rows if row.name == other]
    dear = [replace(row, name="dear") for row in rows if row.name == other]
    costs = {first: 4.0, other: 1.0, "more": 2.0, "dear": 9.0}
    told = [costed(row, costs[row.name]) for row in (*rows, *more, *dear)]
    pairs = [{"a": first, "b": worse, "verdict": "better"} for worse in (other, "more")]
    said = beneath(Material(rows=told, comparison={"methods": pairs, "equal": "epochs"}))
    assert f"4 TFLOP (counted operations) of training per student, 4.0 times as much as {other}" in said
    assert "the cheapest, which reaches" in said
    assert "; every cheaper method is shown to be worse. They were given equal epochs" in said


def test_large_costs_are_told_in_whole_numbers(compared):
    rows = [costed(row, 123_456.0) for row in gathered([compared]).rows if row.judged]
    assert "123456 TFLOP (counted operations)" in beneath(Material(rows=rows))


def test_who_has_no_rank_is_no_measure_of_cost(failed_first):
    rows = [row for row in gathered([failed_first]).rows if row.judged]
    few, many = (next(row for row in rows if row.name == name) for name in ("path-dual", "rslad"))
    both = [replace(many, name=name, seed=seed) for name in ("rslad", "ard") for seed in (0, 1)]
    costs = {"rslad": 4.0, "ard": 4.0, "path-dual": 1.0}
    told = [costed(row, costs[row.name]) for row in (*both, few)]
    material = Material(rows=told, comparison={"methods": [], "equal": "epochs"})
    assert [group.name for group in ranked(material)][-1] == "path-dual"
    assert "as much as ard." in beneath(material)
    assert "joins ranked methods that no cheaper one matches: rslad" in pareto(material).caption
    assert 'scope="col" aria-sort' not in html(material)
    dear = [costed(row, 8.0 if row.name == "ard" else costs[row.name]) for row in told]
    said = beneath(replace(material, rows=dear))
    assert said.endswith("of training per student, less than every other ranked method.")


def test_nothing_is_said_of_a_cost_that_is_unknown(compared):
    rows = [costed(row, 4.0) for row in gathered([compared]).rows if row.judged]
    first, other = ranked(Material(rows=rows))
    free = [
        replace(row, name="file", seed=None, history=replace(row.history, cost={})) for row in other.rows[:1]
    ]
    timed = {first.name: 10.0, other.name: 20.0}
    rows = [replace(row, history=replace(row.history, cost=cost_of(row, timed))) for row in rows]
    material = Material(rows=[*rows, *free])
    assert beneath(material).endswith(
        "10 s (wall time) of training per student, less than every other method of known cost."
    )
    assert "Their seeds differ" not in headline(material)
    assert pareto(material).caption.startswith(
        f"The dashed Pareto front joins methods that no cheaper one matches: {first.name}. Wall time"
    )


def cost_of(row, seconds):
    """Its operations rank the other way round than its seconds."""
    return {**row.history.cost, "train_seconds": seconds[row.name], "train_tflop": 1 / seconds[row.name]}


def costed(row, tflop):
    return replace(row, history=replace(row.history, cost={**row.history.cost, "train_tflop": tflop}))


def test_runs_of_one_accuracy_share_the_highest(compared):
    rows = [row for row in gathered([compared]).rows if row.judged]
    first = ranked(gathered([compared]))[0].name
    even = [replace(row, name="even") for row in rows if row.name == first]
    said = headline(Material(rows=[*rows, *even]))
    assert said.startswith(f"{first} and even share the highest robust accuracy, ")
    assert headline(Material(rows=rows)).startswith(f"{first} has the highest robust accuracy, ")


def cells_of(folder):
    return sorted(cell.name for cell in (folder / "cells").iterdir())


def test_methods_of_a_comparison_are_ranked_on_the_seeds_all_have(failed_first):
    material = gathered([failed_first])
    # rslad leads on the seed of both, and would be behind with the other, which it has alone
    stands = {("path-dual", 1): 30, ("rslad", 1): 31, ("rslad", 0): 0}
    judged = [row for row in material.rows if row.judged]
    rows = [replace(row, judged=standing(row.judged, stands[row.name, row.seed])) for row in judged]
    assert [g.name for g in ranked(Material(rows=rows, comparison=material.comparison))] == [
        "rslad",
        "path-dual",
    ]
    assert [g.name for g in ranked(Material(rows=rows))] == ["path-dual", "rslad"]


def standing(judged, count):
    """The same student, standing on the first `count` images."""
    bits = np.arange(len(judged.right["clean"])) < count
    whole = np.ones_like(bits)
    return replace(judged, right={"clean": whole, "pgd": bits}, tried={"clean": whole, "pgd": whole})


@pytest.mark.parametrize("begins", [[0], [3], [9], [2, 7], [1, 2, 3], []])
def test_what_begins_late_is_counted_from_there_on(begins):
    asked = []

    def flops(phase):
        asked.append(phase)
        return 5 + sum(100 * (phase >= begin) for begin in begins)

    assert _summed(flops, 0, 9) == sum(5 + sum(100 * (p >= begin) for begin in begins) for p in range(10))
    assert len(set(asked)) <= (2 if begins in ([0], []) else 10)


def cost_on(x, y, *words):
    """What a training on images `x` of classes `y` is counted to take."""
    run = advkd.resolve("setting=digits", "split.train=200", "batch_size=32", "epochs=10", *words)
    images = TensorDataset(x, y)
    source = Given(data=(images, images)).source()
    return estimated(run, split(source, run.split), timed=False)


def test_the_order_of_the_images_changes_no_count():
    x, y = torch.rand(320, 1, 8, 8), torch.arange(320) % 10
    aims = ("preset=path-dual", "method.branches.targeted.path.goal=anchor")
    mixed, by_class = (cost_on(x, labels, *aims) for labels in (y, y.sort().values))
    assert mixed.flops == by_class.flops > 0


def test_a_pass_of_the_teacher_that_is_remembered_is_counted_once():
    """Without augmentation its clean logits are asked for once, however many the epochs."""
    teacher = "teacher={model: {use: tiny-cnn, width: 64}, preset: pgd-at}"
    run = advkd.resolve("preset=rslad", "setting=digits", teacher, "epochs=4", "split.train=320")
    short, long = (estimates({"it": replace(run, epochs=n)}, timed=False)["it"] for n in (1, 40))
    assert short.once == long.once > short.epoch
    assert long.flops == pytest.approx(short.once + 40 * short.epoch)
    flipped = replace(run, augment=replace(run.augment, flip=True))
    cost = estimates({"it": flipped}, timed=False)["it"]
    assert cost.once == 0
    # an epoch leaves out what is no whole batch
    assert cost.epoch == pytest.approx(short.epoch + short.once, rel=0.05)


def test_half_the_batch_and_three_steps_cost_less_than_a_third():
    runs = {name: advkd.resolve(f"preset={name}", "setting=digits") for name in ("path-dual", "path-half")}
    whole, half = (cost.epoch for cost in estimates(runs, timed=False).values())
    assert 0.25 < half / whole < 0.33
