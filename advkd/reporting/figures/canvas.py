"""Drawing surfaces: matplotlib to inline SVG, in colours that the page decides."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from advkd.reporting.material import Group

INK, FAINT, RULE = "#010101", "#020202", "#030303"
"""Text, secondary text and rules; written into the SVG, then replaced by the page's own colours."""

COLOURS = 8
MARKERS = "osD^vPX*"
GLYPHS = "●■◆▲▼✚✖★"
"""Marker shapes, and the same shapes for text: no method is told apart by colour alone."""

WIDTH = 4.0
"""Of a figure, in inches: as wide as a phone, so that text keeps its size there."""

RC: dict[Any, Any] = {
    "svg.fonttype": "none",
    # names of methods and terms are no formulas, whatever signs are in them
    "text.parse_math": False,
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "figure.facecolor": "none",
    "lines.linewidth": 1.6,
    "lines.markersize": 5,
}


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A drawing with what it is called, shows (`says`, for readers who do not see it) and how to read it."""

    key: str
    title: str
    body: Markup
    caption: str
    legend: Sequence[tuple[str, str, str]] = ()
    wide: bool = False


@dataclass(frozen=True)
class Missing:
    """A figure that has no data: why, and what would supply it."""

    title: str
    why: str


def colour(index: int) -> str:
    """The sentinel of a method's colour; the same method has the same one in every figure."""
    return f"#0a00{index % COLOURS:02x}"


def shape(index: int) -> int:
    """Which shape a method has: where colours begin anew, the shapes go on by one."""
    return (index + index // COLOURS) % len(MARKERS)


def style(group: Group) -> dict[str, Any]:
    """Colour and marker of a method, as matplotlib takes them."""
    return {"color": colour(group.index), "marker": MARKERS[shape(group.index)]}


def legend(groups: Iterable[Group]) -> list[tuple[str, str, str]]:
    """Colour, glyph and name of each method."""
    return [(f"var(--c{g.index % COLOURS})", GLYPHS[shape(g.index)], g.name) for g in groups]


def svg(key: str, says: str, draw: Callable[[Any], None], height: float = 2.8, top: float = 0.1) -> Markup:
    """What `draw` puts on a figure, as an SVG element that follows the page's colours.

    `height` and `top`, the room above the axes, are in inches. The same drawing gives the same text; `key`
    keeps its ids apart from those of other figures.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure as Drawing

    with rc_context({**RC, "svg.hashsalt": key}):
        drawing = Drawing(figsize=(WIDTH, height))
        # labels are alike in all figures, so their room need not be measured
        drawing.subplots_adjust(left=0.14, right=0.97, bottom=0.45 / height, top=1 - top / height)
        draw(drawing)
        buffer = io.StringIO()
        FigureCanvasSVG(drawing).print_svg(buffer, metadata={"Date": None})  # type: ignore[no-untyped-call]
    return Markup(themed(buffer.getvalue(), key, says))


def themed(text: str, key: str, says: str) -> str:
    """The SVG element in matplotlib's output, in the page's colours, without namespaces or unused ids."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r' xmlns(:\w+)?="[^"]*"', "", text)
    used = set(re.findall(r'(?:href="|url\()#([^")]+)', text))
    text = re.sub(r' id="([^"]+)"', lambda m: m[0] if m[1] in used else "", text)
    for name in used:
        text = re.sub(rf'(["#]){re.escape(name)}(["\)])', rf"\g<1>{key}-{name}\2", text)
    for sentinel, name in ((INK, "ink"), (FAINT, "faint"), (RULE, "rule")):
        text = text.replace(sentinel, f"var(--{name})")
    text = re.sub(r"#0a00(\d\d)", lambda m: f"var(--c{int(m[1], 16)})", text)
    text = re.sub(r"'DejaVu Sans'[^;\"]*", "system-ui, sans-serif", text)
    described = html.escape(says, quote=True)
    head = re.match(r"<svg[^>]*>", text)
    assert head is not None
    opening = re.sub(r' (?:width|height|version)="[^"]*"', "", head[0])
    opening = opening.replace("<svg", f'<svg role="img" aria-label="{described}"', 1)
    return f"{opening}<title>{described}</title>{text[head.end() :]}"


def heat(
    key: str,
    says: str,
    heads: tuple[str, Sequence[str], Sequence[str]],
    cells: Sequence[Sequence[float | None]],
) -> Markup:
    """A table whose cells are shaded by their shares, 0..1; `heads` are its corner, columns and rows."""
    corner, columns, names = heads
    rows = [
        Markup('<th scope="row"><span class="name">{}</span></th>').format(name) + _cells(row)
        for name, row in zip(names, cells, strict=True)
    ]
    top = Markup("").join(
        Markup('<th scope="col"><span class="name">{}</span></th>').format(name) for name in columns
    )
    body = Markup("").join(Markup("<tr>{}</tr>").format(row) for row in rows)
    return Markup(
        '<div class="scroll" tabindex="0" role="group" aria-label="{}"><table class="heat" id="heat-{}">'
        '<thead><tr><th scope="col">{}</th>{}</tr></thead><tbody>{}</tbody></table></div>'
    ).format(says, key, corner, top, body)


def _cells(shares: Sequence[float | None]) -> Markup:
    found = [
        Markup('<td class="none">-</td>')
        if share is None
        else Markup('<td style="--share:{}%">{}</td>').format(f"{50 * share:.0f}", f"{100 * share:.0f}")
        for share in shares
    ]
    return Markup("").join(found)
