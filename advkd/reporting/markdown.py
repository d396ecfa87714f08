"""`report.md`: verdict, facts and numbers as text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from advkd.reporting.glossary import glossary
from advkd.reporting.material import Material
from advkd.reporting.notes import notes
from advkd.reporting.page import attacks, facts, title, worst
from advkd.reporting.table import legend, methods, students
from advkd.reporting.verdicts import PAIRS, verdicts
from advkd.reporting.words import beneath, called, given, headline

MARKS = re.compile(r"[\\`*]|(?<!\w)_|_(?!\w)|<(?=[A-Za-z/!?])|\](?=\()")
"""What would be read as emphasis, code, HTML or a link."""


def markdown(material: Material) -> str:
    """The report without its pictures."""
    return "\n\n".join(part for part in _parts(material) if part) + "\n"


def _parts(material: Material) -> Iterator[str]:
    comparison = material.comparison or {}
    yield f"# {plain(title(material))}"
    yield f"**{plain(headline(material))}**"
    if not material.groups:
        yield _students(material)
        return
    yield plain(beneath(material))
    yield "\n".join(f"- {name}: {plain(value)}" for name, value in facts(material))
    for kind in (one for one in verdicts(material) if one.says):
        yield f"## {kind.title}"
        yield kind.hint
        yield "\n".join(f"- {plain(says)}" for says in kind.says)
        if kind.left:
            yield f"{kind.left} more below, in all pairs."
    if comparison.get("differences"):
        yield "## What the methods do not share"
        yield "\n".join(f"- {plain(what)}" for what in comparison["differences"])
    yield "## Numbers"
    yield legend(material)
    yield "\n\n".join(_tables(material))
    if words := given(comparison.get("words") or {}):
        yield "## What each was given"
        yield "\n".join(f"- {plain(one)}" for one in words)
    if pairs := verdicts(material):
        yield "## All pairs"
        yield PAIRS
    for kind in pairs:
        rows = [[pair, *(cell.text for cell in cells)] for pair, cells in kind.rows]
        yield table([f"{kind.title.lower()}", *kind.heads], rows)
    yield from _doubts(material)
    yield from _meanings(material)
    yield from _origin(material)


def plain(text: str) -> str:
    """Text that Markdown shows as it is, whatever the labels in it."""
    return MARKS.sub(r"\\\g<0>", text)


def _meanings(material: Material) -> Iterator[str]:
    yield "## What the names stand for"
    for heading, meanings in glossary(material).items():
        yield f"### {heading.capitalize()}"
        yield "\n".join(
            f"- **{plain(one.name)}**{f' ({plain(one.options)})' if one.options else ''}: {one.text}"
            for one in meanings
        )


def _origin(material: Material) -> Iterator[str]:
    comparison = material.comparison or {}
    yield from map(plain, notes(material))
    if comparison.get("command"):
        yield f"Made by `{comparison['command']}`, hash {comparison.get('hash', 'unknown')}."
    if environment := comparison.get("environment"):
        yield plain(", ".join(f"{name} {value}" for name, value in environment.items()))


def _tables(material: Material) -> Iterator[str]:
    single = material.single
    if single and single.judged:
        rows = [[a["name"], *a["accuracy"].values()] for a in attacks(single.judged)]
        networks = next(iter(attacks(single.judged)))["accuracy"]
        yield table(["accuracy in %", *networks], [*rows, ["worst case", *worst(single.judged)]])
    else:
        heads, groups = methods(material)
        yield table(["method", *heads], [[g.name, *(c.text for c in cells)] for g, cells in groups])
    if len(material.rows) > len(material.groups):
        yield _students(material)


def _students(material: Material) -> str:
    heads, rows = students(material)
    return table(["student", *heads], [[row.name, *(cell.text for cell in cells)] for row, cells in rows])


def _doubts(material: Material) -> Iterator[str]:
    flags = [
        plain(f"- {called(row)}: {flag['name']}: {flag['says']}. {flag['evidence']}.")
        for row in material.rows
        if row.judged and row.judged.audit
        for flag in row.judged.audit["flags"]
    ]
    if any(row.judged and row.judged.audit for row in material.rows):
        yield "## Flags"
        yield "\n".join(flags) or "No check raised a flag."
    if (single := material.single) and single.judged and single.judged.audit:
        yield "## Not tried"
        yield "\n".join(plain(f"- {what}") for what in single.judged.audit["not_tried"])


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of plain text."""
    lines = [heads, ["---"] * len(heads), *rows]
    shown = [[" ".join(plain(cell).replace("|", "\\|").split("\n")) for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in shown)
