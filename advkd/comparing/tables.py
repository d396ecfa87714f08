"""A comparison in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from advkd.comparing.cell import Made
from advkd.comparing.estimate import Estimate
from advkd.comparing.headline import ROBUST
from advkd.comparing.outcome import Comparison
from advkd.comparing.plan import Cell, Plan
from advkd.config.entries import CLEAN
from advkd.reporting.words import duration, given, spread, summed


def terms(out: Console, plan: Plan) -> None:
    """What all share, and what differs besides what is learned."""
    run, request = plan.first, plan.request
    say(
        out,
        f"{len(plan.cells)} cells: {len(plan.labels)} entrants, seeds {', '.join(map(str, request.seeds))}; "
        f"setting {run.setting}, {run.threat}, suite {request.suite} on {request.on} images",
    )
    for difference in plan.differences:
        say(out, f"differs  {difference}", "yellow")
    sums = {run.scales for run in plan.runs.values()}
    if len(sums) > 1:
        say(out, f"scales   sum to {summed({label: run.scales for label, run in plan.runs.items()})}")
    for words in given({entrant.label: entrant.words for entrant in request.entrants}):
        say(out, f"words    {words}")


def ended(out: Console, plan: Plan, index: int, cell: Cell, made: Made) -> None:
    """One line for a cell that has ended."""
    start = f"  {index + 1:>3}/{len(plan.cells)}  {cell.label}  seed {cell.run.seed}"
    if made.judged is None:
        say(out, f"{start}  failed: {made.error}", "red")
    else:
        scores = made.judged.scores
        say(out, f"{start}  clean {100 * scores.clean:.1f}  robust {100 * scores.robust:.1f}")


def predicted(out: Console, plan: Plan, costs: dict[str, Estimate], left: Sequence[Cell]) -> None:
    """The cells of a comparison that is not made, and what those that are `left` are predicted to cost."""
    table = Table(title="predicted, training only, at the rate of this moment")
    for heading in ("entrant", "epochs", "TFLOP a seed", "seconds a seed", "cells left"):
        table.add_column(heading, justify="left" if heading == "entrant" else "right")
    for label, cost in costs.items():
        numbers = (f"{plan.runs[label].epochs}", f"{cost.flops / 1e12:.3g}", f"{cost.seconds:.0f}")
        table.add_row(Text(label), *numbers, f"{sum(cell.label == label for cell in left)}")
    out.print(table)
    total = duration(sum(costs[cell.label].seconds for cell in left))
    rest = f"{len(plan.cells) - len(left)} of {len(plan.cells)} cells are trained already"
    say(out, f"in all about {total} of training, {rest}; audits and the teacher come on top")


def concluded(out: Console, comparison: Comparison) -> None:
    """The verdict, the table, the pairs, and where the report is."""
    say(out, comparison.headline, "bold")
    for difference in comparison.mixed:
        say(out, f"differs  {difference}", "yellow")
    if comparison.judged:
        out.print(_table(comparison))
    _methods(out, comparison)
    told = [v for v in comparison.students if v.verdict != "not distinguishable"]
    count = f"{len(told)} of {len(comparison.students)} pairs of students differ"
    say(out, f"these students, image by image: {count}; the report lists them")
    for failure in comparison.failed:
        say(out, f"failed  {failure}", "red")
    say(out, f"comparison folder: {comparison.folder}")


def _methods(out: Console, comparison: Comparison) -> None:
    tested = [verdict for verdict in comparison.methods if verdict.p is not None]
    heading = "paired over seeds:" if tested else "not tested: needs more than one seed for both"
    say(out, f"these methods, {heading}", "bold")
    best = comparison.leading
    apart = [v for v in tested if v.verdict != "not distinguishable" or {v.a, v.b} & {*best}]
    for verdict in apart:
        say(out, f"  {verdict.says}")
    if rest := len(tested) - len(apart):
        are = "pairs are" if rest > 1 else "pair is"
        say(out, f"  {rest} further {are} not distinguishable; the report lists them")


def _table(comparison: Comparison) -> Table:
    plan = comparison.plan
    table = Table(title=f"accuracy in %, mean ± SD over seeds, {plan.request.on} images, {plan.first.threat}")
    for heading in ("", "clean", "robust", "seeds", "TFLOP a seed", "time a seed"):
        table.add_column(heading, justify="left" if heading == "" else "right", overflow="fold")
    for label in [*comparison.ranked, *(one for one in comparison.judged if one not in comparison.seeds)]:
        table.add_row(Text(label), *_cells(comparison, label))
    return table


def _cells(comparison: Comparison, label: str) -> Iterator[str]:
    for what in (CLEAN, ROBUST):
        yield spread(comparison.values(label, what))
    yield str(len(comparison.values(label, ROBUST)))
    yield f"{comparison.tflop[label]:.3g}" if label in comparison.tflop else "-"
    yield duration(comparison.seconds(label))


def say(out: Console, text: str, style: str = "") -> None:
    """One line, whatever is in it."""
    out.print(Text(text, style=style), soft_wrap=True)
