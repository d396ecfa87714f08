"""What the command line prints: names, members, resolved runs, results."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from rich.console import Console
from rich.table import Table
from rich.text import Text

from advkd.errors import AdvkdError, Problem, nearest
from advkd.registry import SLOTS, YAML_SLOTS, entries, fault, load
from advkd.registry.installed import CHOICE, Entry, installed
from advkd.registry.sources import source_of

if TYPE_CHECKING:
    from advkd.config.run import Run
    from advkd.result import Result


def names(out: Console, slots: list[str], check: bool = False) -> int:
    """Every name of some slots: one line, distribution and version; what is broken says how.

    `check` imports every member, which finds what metadata and source files do not tell. Returns how many
    names are broken.
    """
    faulty, asked = [], 0
    for slot in slots:
        table = Table(box=None, padding=(0, 2, 0, 0), title=slot, title_justify="left", title_style="bold")
        for heading, style in (("name", "cyan"), ("what it is", ""), ("from", "dim")):
            table.add_column(heading, style=style, no_wrap=heading != "what it is")
        for name, claims in entries(slot).items():
            problem = broken(slot, name) if check else fault(claims)
            faulty += [f"{SLOTS[slot]} {name}"] * bool(problem)
            asked += 1
            for claim in claims:
                what = f"broken: {problem.problem}" if problem else source_of(claim).headline
                table.add_row(name, Text(what, "red" if problem else ""), claim.who)
        out.print(table)
        out.print()
    if check:
        which = f" ({', '.join(faulty)})" if faulty else ""
        out.print(f"{asked} names, {len(faulty)} broken{which}", highlight=False)
    left_out = sorted({entry.who for entry in installed().left_out})
    if left_out:
        out.print(f"left out by {CHOICE}: {', '.join(left_out)}", highlight=False)
    for slot, who in sorted({(e.slot, e.who) for e in installed().entries if e.slot not in SLOTS}):
        close = nearest(slot, SLOTS)
        hint = f", the nearest is advkd.{close}" if close else ""
        out.print(f"{who} has names in advkd.{slot}, which is no slot{hint}", style="red", highlight=False)
    return len(faulty) if check else 0


def broken(slot: str, name: str) -> Problem | None:
    """What is wrong with a name once it is imported, or its file is read."""
    from advkd.config.layers import named

    try:
        named(slot, name) if slot in YAML_SLOTS else load(slot, name)
    except AdvkdError as cause:
        return cause.problems[0]
    return None


def member(out: Console, entry: Entry) -> None:
    """One member: where it is written, its docstring, its options."""
    source = source_of(entry)
    out.print(f"{SLOTS[entry.slot]} {entry.name}", style="bold")
    out.print(f"from {entry.distribution} {entry.version}", highlight=False)
    out.print(f"{source.file}:{source.line}", highlight=False, soft_wrap=True)
    if entry.slot in YAML_SLOTS:
        out.print(Text(source.file.read_text(encoding="utf-8") if source.file else source.text))
        card = source.file.parent / "README.md" if source.file else None
        if card and card.exists():
            out.print(f"card: {card}", highlight=False, soft_wrap=True)
        return
    out.print()
    out.print(Text(source.text), soft_wrap=True)
    if entry.slot == "evaluators":
        judging(out, load(entry.slot, entry.name))
    options(out, load(entry.slot, entry.name), set())


def judging(out: Console, cls: Any) -> None:
    """What an evaluator says of itself: what it searches for, what it knows, what an image costs."""
    if any(p.default is inspect.Parameter.empty for p in inspect.signature(cls).parameters.values()):
        return
    evaluator = cls()
    passes = evaluator.passes(10)
    cost = "not known" if passes is None else f"{passes[0]} forward and {passes[1]} backward passes"
    out.print()
    out.print(f"{evaluator.kind}, {evaluator.knowledge}; at 10 classes an image costs at most: {cost}")


def options(out: Console, cls: Any, shown: set[Any]) -> None:
    """The options of a member with types and defaults, then those of the groups they are made of."""
    from advkd.config.build import groups_of, options_of

    shown.add(cls)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("option", "type", "default"):
        table.add_column(heading)
    for name, (annotation, default) in options_of(cls).items():
        written = "null" if default is None else repr(default)
        text = "(needs a value)" if default is inspect.Parameter.empty else written
        table.add_row(name, Text(typed(annotation)), Text(text))
    if table.row_count:
        out.print()
        out.print(table)
    for group in groups_of(cls).values():
        if group not in shown:
            out.print()
            out.print(Text(f"{group.__name__}: {inspect.getdoc(group)}"), soft_wrap=True)
            options(out, group, shown)


def typed(annotation: Any) -> str:
    """An annotation as users read it: `real` takes fractions, a slot's contract is its singular."""
    from advkd.config.build import slot_of
    from advkd.config.values import UNIONS
    from advkd.types import Real

    slot, inner = slot_of(annotation), get_args(annotation)
    if slot:
        return SLOTS[slot]
    if annotation in (Real, float):
        return "real"
    if annotation is type(None):
        return "null"
    if get_origin(annotation) is Literal:
        return " | ".join(map(str, inner))
    if get_origin(annotation) in UNIONS:
        return " | ".join(typed(part) for part in inner)
    if inner:
        parts = ", ".join("..." if part is Ellipsis else typed(part) for part in inner)
        return f"{get_origin(annotation).__name__.lower()}[{parts}]"
    return getattr(annotation, "__name__", str(annotation))


def resolved(out: Console, run: Run) -> None:
    """A run as YAML, with its hash and the sum of its scales, without running it."""
    from advkd.config.layers import yaml_text

    out.print(Text(yaml_text(dict(run.resolved)).rstrip()))
    out.print(f"hash {run.hash}", highlight=False)
    written = getattr(run.method, "written", None)
    if written is not None:
        out.print(f"sum of the scales as written {written:.4g}; method.total changes it", highlight=False)


def results(out: Console, result: Result) -> None:
    """Teacher, best and last student under every attack; intervals; cost; the run folder."""
    judged = bool(result.attacks)
    what = "test images, worst case over all attacks" if judged else "images, clean alone: no attack was run"
    table = Table(title=f"accuracy in %, {result.n} {what}")
    for heading in ("", "clean", *result.attacks, *["worst case"] * judged, "95 % interval"):
        table.add_column(heading, justify="left" if heading == "" else "right")
    rows = {"teacher": result.teacher, "student, best": result, "student, last": result.last}
    for name, row in rows.items():
        if row is None:
            continue
        numbers = [row.clean, *row.attacks.values(), *[row.robust] * judged]
        low, high = row.interval["robust"]
        cells = [f"{100 * number:.1f}" for number in numbers]
        table.add_row(name, *cells, f"{100 * low:.1f} to {100 * high:.1f}")
    out.print(table)
    if result.modifiers:
        out.print(f"trained with {', '.join(result.modifiers)}", highlight=False)
    cost = result.cost
    trained = (
        f"{cost['train_seconds']:.0f} s training the student at {cost['images_per_second']:.0f} images/s"
    )
    warm_up = f" after {cost['warm_up_seconds']:.0f} s of warm-up" if cost["warm_up_seconds"] >= 1 else ""
    memory = f"{cost['peak_memory_mb']:.0f} MB at most"
    out.print(f"{cost['seconds']:.0f} s in all, {trained}{warm_up}, {memory}", highlight=False)
    passes = (
        f"student {cost['student_forwards']:,} forward {cost['student_backwards']:,} backward, "
        f"teacher {cost['teacher_forwards']:,} forward {cost['teacher_backwards']:,} backward"
    )
    out.print(f"images passed: {passes}", highlight=False)
    sizes = [f"{who} {cost[key]:,}" for who in ("student", "teacher") if (key := f"{who}_parameters") in cost]
    out.print(f"parameters: {', '.join(sizes)}", highlight=False)
    out.print(f"run folder: {result.folder}", highlight=False, soft_wrap=True)
