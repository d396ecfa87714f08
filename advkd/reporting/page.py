"""`report.html`: one page, nothing outside it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from advkd.config.entries import CLEAN
from advkd.reporting.figures import drawn
from advkd.reporting.figures.canvas import COLOURS, GLYPHS, shape
from advkd.reporting.glossary import glossary
from advkd.reporting.material import Judged, Material, Row
from advkd.reporting.notes import notes
from advkd.reporting.table import legend, methods, students
from advkd.reporting.teacher import teacher
from advkd.reporting.verdicts import PAIRS, verdicts
from advkd.reporting.words import beneath, called, duration, equal, given, headline, summed, way
from advkd.result import percent

PACKAGE = "advkd.reporting"
OPTIONAL = ("differences", "command", "hash", "environment")
"""What a comparison may leave out."""


def html(material: Material) -> str:
    """The page of some material."""
    env = Environment(
        loader=PackageLoader(PACKAGE, "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters |= {"percent": percent, "code": _code, "called": called}
    figures, missing = drawn(material)
    single = material.single
    return env.get_template("page.html").render(
        material=material,
        comparison={**dict.fromkeys(OPTIONAL), **(material.comparison or {})},
        title=title(material),
        headline=re.split(r"(?<=\.) (?=[A-Z])", headline(material)),
        beneath=beneath(material) if material.groups else "",
        facts=list(facts(material)) if material.groups else [],
        verdicts=verdicts(material),
        pairs=PAIRS,
        given=given((material.comparison or {}).get("words") or {}),
        methods=_marked(material) if material.groups and not single else None,
        # those without a rank come last, however robust
        sorted="" if any(group.apart for group in material.groups) else "robust",
        legend=legend(material),
        students=_named(material) if len(material.rows) > len(material.groups) else None,
        figures=figures,
        missing=missing,
        single=single,
        judged=single.judged if single else None,
        attacks=list(attacks(single.judged)) if single and single.judged else [],
        worst=worst(single.judged) if single and single.judged else [],
        costs=list(_costs(single.judged)) if single and single.judged else [],
        glossary=glossary(material),
        notes=list(notes(material)),
        css=_asset("page.css"),
        js=_asset("page.js"),
    )


def title(material: Material) -> str:
    """What the page is about, in a few words."""
    comparison = material.comparison
    if comparison is not None:
        return f"Comparison on {comparison.get('setting', 'one setting')}"
    if material.single is not None:
        return called(material.single)
    return f"{len(material.rows)} students side by side"


def facts(material: Material) -> Iterator[tuple[str, str]]:
    """What every number of the page holds for."""
    comparison = material.comparison or {}
    yield "threat", material.threat
    yield "judged on", material.images
    shown = dict.fromkeys(judged.shown for group in material.groups for judged in group.judged)
    yield "judged by", "; ".join(shown)
    seeds = sorted({row.seed for row in _ranked_rows(material) if row.seed is not None})
    if seeds:
        asked = len(comparison.get("seeds") or seeds)
        short = f", of {asked} asked for" if asked > len(seeds) else ""
        yield "seeds", f"{len(seeds)} ({', '.join(map(str, seeds))}){short}"
    ended = [row.history for row in material.rows if row.history and (row.judged or len(material.rows) == 1)]
    epochs = {len(history.clean) for history in ended if len(history.clean)}
    if epochs:
        yield "epochs", " to ".join(str(end) for end in sorted({min(epochs), max(epochs)}))
    if scales := summed({group.name: group.first.scales for group in material.groups}):
        yield "sum of loss scales", scales
    if made_equal := equal(comparison):
        yield "made equal", made_equal
    if scores := teacher(material):
        yield "teacher", f"{percent(scores.clean)} % clean, {percent(scores.robust)} % robust"
    if sizes := list(_sizes(material)):
        yield "parameters", "; ".join(sizes)
    costs = [row.cost for row in material.rows if "train_seconds" in row.cost]
    if costs:
        many = "in all" if len(costs) > 1 else f"at {costs[0]['images_per_second']:.0f} images/s"
        yield "training", f"{duration(sum(cost['train_seconds'] for cost in costs))} {many}"


def _ranked_rows(material: Material) -> Iterator[Row]:
    return (row for group in material.groups if not group.apart for row in group.rows)


def _sizes(material: Material) -> Iterator[str]:
    for who in ("student", "teacher"):
        known = sorted({row.cost[key] for row in material.rows if (key := f"{who}_parameters") in row.cost})
        if known:
            yield f"{who} {' to '.join(f'{size:,}' for size in dict.fromkeys((known[0], known[-1])))}"


def attacks(judged: Judged) -> Iterator[dict[str, Any]]:
    """The table of attacks of a single student: accuracy of every network, and what the attack did."""
    about = judged.audit or {}
    others = {key: about[key]["details"] for key in ("last", "teacher") if key in about}
    own = about.get("details", {})
    names = dict.fromkeys([*judged.right, *(name for details in others.values() for name in details)])
    mine = str(about.get("judged", "student"))
    for name in names:
        beside = {who: percent(d[name]["alone"]) if name in d else "-" for who, d in others.items()}
        told: dict[str, Any] = {"name": name, "tried": None, "broken": None, "seconds": None}
        accuracy = "-"
        # where no gradient passes an attack may have run on the teacher alone
        if name in judged.right:
            wrong = ~judged.right[CLEAN] if name == CLEAN else judged.broken(name)
            alone = judged.alone(name) if name != CLEAN else judged.scores.clean
            told |= {"tried": int(judged.tried[name].sum()), "broken": int(wrong.sum())}
            accuracy = percent(own[name]["alone"] if name in own else alone)
        if name in own:
            told["seconds"] = own[name]["seconds"]
        yield {**told, "accuracy": {mine: accuracy, **beside}}


def worst(judged: Judged) -> list[str]:
    """Robust accuracy of every network in the table of attacks."""
    about = judged.audit or {}
    others = [about[key]["robust"] for key in ("last", "teacher") if key in about]
    return [percent(share) for share in (judged.scores.robust, *others)]


def _costs(judged: Judged) -> Iterator[str]:
    for name, value in ((judged.audit or {}).get("cost") or {}).items():
        yield way(value) if name == "engine" else f"{name.replace('_', ' ')} {value}"


def _code(text: str) -> Markup:
    """Documentation, with what it has in backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _marked(material: Material) -> Any:
    """The table of methods, each name with its shape in its colour."""
    heads, rows = methods(material)
    sign = Markup('<span class="mark" style="color:var(--c{})" aria-hidden="true">{}</span> {}')
    return heads, [
        (sign.format(group.index % COLOURS, GLYPHS[shape(group.index)], group.name), cells)
        for group, cells in rows
    ]


def _named(material: Material) -> Any:
    heads, rows = students(material)
    return heads, [(row.name, cells) for row, cells in rows]


def _asset(name: str) -> Markup:
    return Markup(files(PACKAGE).joinpath(name).read_text(encoding="utf-8"))
