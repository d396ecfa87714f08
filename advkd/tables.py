"""What the command line prints: names, members, resolved runs, results."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from advkd.registry import SLOTS, Entry, entries, load
from advkd.sources import source_of

if TYPE_CHECKING:
    from advkd.config.run import Run
    from advkd.result import Result


def names(out: Console, slots: list[str]) -> None:
    """Every name of some slots: one line, distribution and version."""
    for slot in slots:
        table = Table(box=None, padding=(0, 2, 0, 0), title=slot, title_justify="left", title_style="bold")
        for heading, style in (("name", "cyan"), ("what it is", ""), ("from", "dim")):
            table.add_column(heading, style=style, no_wrap=heading != "what it is")
        for name, claims in entries(slot).items():
            for claim in claims:
                what = "claimed twice" if len(claims) > 1 else source_of(claim).headline
                table.add_row(name, Text(what), f"{claim.distribution} {claim.version}".strip())
        out.print(table)
        out.print()


def member(out: Console, entry: Entry) -> None:
    """One member: where it is written, its docstring, its options."""
    source = source_of(entry)
    out.print(f"{SLOTS[entry.slot]} {entry.name}", style="bold")
    out.print(f"from {entry.distribution} {entry.version}", highlight=False)
    out.print(f"{source.file}:{source.line}", highlight=False, soft_wrap=True)
    if entry.slot in ("presets", "settings"):
        out.print(Text(source.file.read_text(encoding="utf-8") if source.file else source.text))
        card = source.file.parent / "README.md" if source.file else None
        if card and card.exists():
            out.print(f"card: {card}", highlight=False, soft_wrap=True)
        return
    out.print()
    out.print(Text(source.text))
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("option", "type", "default"):
        table.add_column(heading)
    from advkd.config.build import options_of

    for name, (annotation, default) in options_of(load(entry.slot, entry.name)).items():
        shown = "(needs a value)" if default is inspect.Parameter.empty else repr(default)
        table.add_row(name, Text(typed(annotation)), Text(shown))
    if table.row_count:
        out.print()
        out.print(table)


def typed(annotation: Any) -> str:
    """An annotation as an option's type is written: `Real` for a number that takes fractions."""
    text = inspect.formatannotation(annotation)
    for long, short in (
        ("Annotated[float, BeforeValidator(func=<function as_real at", "Annotated["),
        ("advkd.protocols.", ""),
        ("typing.", ""),
        ("collections.abc.", ""),
    ):
        text = text.replace(long, short)
    return re.sub(r"Annotated\[ ?0x\w+>, json_schema_input_type=PydanticUndefined\)\]", "real", text)


def resolved(out: Console, run: Run) -> None:
    """A run as YAML, with its hash and the sum of its scales, without running it."""
    import yaml

    out.print(Text(yaml.safe_dump(dict(run.resolved), sort_keys=False).rstrip()))
    out.print(f"hash {run.hash}", highlight=False)
    written = getattr(run.method, "written", None)
    if written is not None:
        out.print(f"sum of the scales as written {written:.4g}; method.total changes it", highlight=False)


def results(out: Console, result: Result) -> None:
    """Teacher, best and last student under every attack; intervals; cost; the run folder."""
    table = Table(title=f"accuracy in %, {result.n} test images, worst case over all attacks")
    for heading in ("", "clean", *result.attacks, "worst case", "95 % interval"):
        table.add_column(heading, justify="left" if heading == "" else "right")
    rows = {"teacher": result.teacher, "student, best": result, "student, last": result.last}
    for name, row in rows.items():
        if row is None:
            continue
        numbers = [row.clean, *row.attacks.values(), row.robust]
        low, high = row.interval["robust"]
        cells = [f"{100 * number:.1f}" for number in numbers]
        table.add_row(name, *cells, f"{100 * low:.1f} to {100 * high:.1f}")
    out.print(table)
    cost = result.cost
    out.print(
        f"{cost['seconds']:.0f} s in all, {cost['train_seconds']:.0f} s training the student at "
        f"{cost['images_per_second']:.0f} images/s, {cost['peak_memory_mb']:.0f} MB at most",
        highlight=False,
    )
    passes = (
        f"student {cost['student_forwards']:,} forward {cost['student_backwards']:,} backward, "
        f"teacher {cost['teacher_forwards']:,} forward {cost['teacher_backwards']:,} backward"
    )
    out.print(f"images passed: {passes}", highlight=False)
    out.print(f"run folder: {result.folder}", highlight=False, soft_wrap=True)
