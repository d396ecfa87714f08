"""`report.md`: verdict, facts and numbers as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from advkd.reporting.glossary import glossary
from advkd.reporting.material import Material
from advkd.reporting.page import attacks, facts, notes, title
from advkd.reporting.table import methods, students
from advkd.reporting.verdicts import verdicts
from advkd.reporting.words import beneath, given, headline


def markdown(material: Material) -> str:
    """The report without its pictures."""
    return "\n\n".join(part for part in _parts(material) if part) + "\n"


def _parts(material: Material) -> Iterator[str]:
    comparison = material.comparison or {}
    yield f"# {title(material)}"
    yield f"**{headline(material)}**"
    if not material.groups:
        return
    yield beneath(material)
    yield "\n".join(f"- {name}: {value}" for name, value in facts(material))
    for kind in (one for one in verdicts(material) if one.says):
        yield f"## {kind.title}"
        yield kind.hint
        yield "\n".join(f"- {says}" for says in kind.says)
    if comparison.get("differences"):
        yield "## What the methods do not share"
        yield "\n".join(f"- {what}" for what in comparison["differences"])
    if words := given(comparison.get("words") or {}):
        yield "## What each was given"
        yield "\n".join(f"- {one}" for one in words)
    yield "## Numbers"
    yield "\n\n".join(_tables(material))
    for kind in verdicts(material):
        rows = [[pair, *(cell.text for cell in cells)] for pair, cells in kind.rows]
        yield _table([f"{kind.title.lower()}", *kind.heads], rows)
    yield from _doubts(material)
    for heading, meanings in glossary(material).items():
        yield f"## What the {heading} are"
        yield "\n".join(
            f"- **{one.name}**{f' ({one.options})' if one.options else ''}: {one.text}" for one in meanings
        )
    yield from notes(material)


def _tables(material: Material) -> Iterator[str]:
    single = material.single
    if single and single.judged:
        rows = [[a["name"], *a["accuracy"].values()] for a in attacks(single.judged)]
        networks = next(iter(attacks(single.judged)))["accuracy"]
        yield _table(["accuracy in %", *networks], rows)
    else:
        heads, groups = methods(material)
        yield _table(["method", *heads], [[g.name, *(c.text for c in cells)] for g, cells in groups])
    if len(material.rows) > len(material.groups):
        heads, rows_of = students(material)
        yield _table(["student", *heads], [[r.name, *(c.text for c in cells)] for r, cells in rows_of])


def _doubts(material: Material) -> Iterator[str]:
    flags = [
        f"- {row.name}: {flag['name']}: {flag['says']}. {flag['evidence']}."
        for row in material.rows
        if row.judged and row.judged.audit
        for flag in row.judged.audit["flags"]
    ]
    if flags:
        yield "## Doubt"
        yield "\n".join(flags)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    shown = [[" ".join(cell.replace("|", "\\|").split("\n")) for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in shown)
