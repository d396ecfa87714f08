"""Adversarial paths: strips of images with both networks' margins, and who is still right along them."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from advkd.reporting.figures.canvas import FAINT, INK, Figure, Missing, colour, svg
from advkd.reporting.material import Material, Paths, Row, Strips
from advkd.reporting.words import called, ranked

LOOKS: dict[str, dict[str, Any]] = {
    "student": {"color": colour(0), "marker": "o"},
    "teacher": {"color": colour(1), "marker": "s"},
}
LEGEND = (("var(--c0)", "●", "student"), ("var(--c1)", "■", "teacher"))
ABOUT = {"untargeted": "untargeted: away from its class", "targeted": "targeted: toward the runner-up"}
TILE = 64
"""Pixels a small image is enlarged to."""

SECOND_HAND = (
    "The attack targets the student and only transfers to a teacher, which explains part of their gap."
)
NO_PATHS = "no paths.npz beside the student; advkd run leaves one."


def strips(material: Material) -> Figure | Missing:
    """A few validation images of the most robust student, walked both ways, one strip each."""
    title = "Adversarial paths"
    row = _shown(material)
    if row is None or row.paths is None:
        return Missing(title, NO_PATHS)
    paths = row.paths
    margins = [m for strip in paths.branches.values() for m in strip.margin.values()]
    # a student that has diverged has no margins
    most = max(float(np.nan_to_num(np.abs(margin), posinf=0).max()) for margin in margins) or 1.0
    parts = [_panel(paths, branch, i, most) for i in range(len(paths.y)) for branch in paths.branches]
    steps = len(next(iter(paths.branches.values())).x) - 1
    return Figure(
        key="paths",
        title=title,
        body=Markup('<div class="strips">{}</div>').format(Markup("").join(parts)),
        legend=_legend(paths),
        caption=f"{called(row)}, validation images, first those the student loses on the way. Each "
        "image walks twice: away from its class, and toward the class found likeliest after the true one; "
        f"leftmost it is clean, rightmost it has made {steps} steps of PGD on the student. The lines beneath "
        "are the probability of the true class minus that of its likeliest rival: above zero a network is "
        f"right, below it is fooled; these words stand at {most:.2f} and {-most:.2f}. {SECOND_HAND} "
        f"{paths.threat}.",
        wide=True,
    )


def still_right(material: Material) -> Figure | Missing:
    """The share of images on which student and teacher are right, at every point of the path."""
    title = "Where the teacher is still right"
    row = _shown(material)
    if row is None or row.paths is None:
        return Missing(title, NO_PATHS)
    paths = row.paths

    def draw(drawing: Any) -> None:
        panels = drawing.subplots(1, 2, sharey=True)
        for axes, (branch, strip) in zip(panels, paths.branches.items(), strict=True):
            for net, shares in strip.right.items():
                axes.plot(100 * shares, **LOOKS[net])
            axes.set_title(branch, fontsize=9.5)
            axes.set(xlabel="point of the path", ylim=(-3, 103))
        panels[0].set_ylabel("still right, in %")

    ends = "; ".join(
        f"{branch}, {net}: {100 * shares[0]:.0f} at the start, {100 * shares[-1]:.0f} at the end"
        for branch, strip in paths.branches.items()
        for net, shares in strip.right.items()
    )
    return Figure(
        key="still-right",
        title=title,
        body=svg("still-right", f"Share still right in per cent. {ends}", draw, top=0.3),
        legend=_legend(paths),
        caption=f"{called(row)}: the share of {paths.n} validation images that each network names correctly "
        f"at each point of paths walked against the student. {SECOND_HAND} {paths.threat}.",
    )


def _shown(material: Material) -> Row | None:
    """The most robust student that has left paths, of those with a teacher if there is one."""
    rows = [row for group in ranked(material) for row in group.rows if row.paths is not None]
    return min(rows, key=lambda row: not _taught(row), default=None)


def _taught(row: Row) -> bool:
    return row.paths is not None and any("teacher" in s.margin for s in row.paths.branches.values())


def _legend(paths: Paths) -> list[tuple[str, str, str]]:
    return [entry for entry in LEGEND if entry[2] in next(iter(paths.branches.values())).margin]


def _panel(paths: Paths, branch: str, i: int, most: float) -> Markup:
    strip, label = paths.branches[branch], int(paths.y[i])
    goal = "" if strip.goal is None else f", toward class {int(strip.goal[i])}"
    said = strip.said["student"][:, i]
    changed = next((k for k, name in enumerate(said) if name != label), None)
    end = "never fooled"
    if changed is not None:
        when = f"first at step {changed}" if changed else "from the start"
        end = f"taken for class {said[changed]}, {when}"
        end += "; right again at the end" if said[-1] == label else ""
    says = f"{branch} path of class {label}{goal}: {end}"
    return Markup(
        '<div class="strip"><p><b>{}</b>, class {}{}: {}</p><img alt="{}" src="{}">{}</div>'
    ).format(
        branch,
        label,
        goal,
        end,
        f"The images of the {says}",
        png(strip.x[:, i]),
        _margins(f"margin-{branch}-{i}", says, strip, i, most),
    )


def _margins(key: str, says: str, strip: Strips, i: int, most: float) -> Markup:
    def draw(drawing: Any) -> None:
        # the whole width, so that each point lies beneath its image
        axes = drawing.add_axes((0, 0, 1, 1))
        points = len(strip.x)
        for net, margin in strip.margin.items():
            axes.plot(margin[:, i], **LOOKS[net], ms=4)
        axes.axhline(0, color=FAINT, lw=1)
        axes.set(xlim=(-0.5, points - 0.5), ylim=(-1.15 * most, 1.15 * most), xticks=[], yticks=[])
        axes.spines[["left", "bottom"]].set_visible(False)
        axes.grid(visible=False)
        for text, y, at in (("right", most, "top"), ("fooled", -most, "bottom")):
            axes.text(points - 0.6, y, text, ha="right", va=at, color=INK, alpha=0.65, fontsize=8.5)

    ends = ", ".join(
        f"{net} {margin[0, i]:.2f} to {margin[-1, i]:.2f}" for net, margin in strip.margin.items()
    )
    return svg(key, f"Margins along the {says}; {ends}", draw, 0.9)


def png(x: NDArray[np.uint8]) -> str:
    """Images (T,C,H,W) side by side, as the address of a PNG that holds them; what is between is clear."""
    from PIL import Image

    tiles = x.transpose(0, 2, 3, 1)
    tiles = np.repeat(tiles, 3, axis=3) if tiles.shape[3] == 1 else tiles[..., :3]
    size = max(1, TILE // tiles.shape[2])
    tiles = tiles.repeat(size, axis=1).repeat(size, axis=2)
    tiles = np.pad(tiles, ((0, 0), (0, 0), (0, 0), (0, 1)), constant_values=255)
    gap = max(1, tiles.shape[2] // 32)
    tiles = np.pad(tiles, ((0, 0), (0, 0), (gap, gap), (0, 0)))
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate(list(tiles), axis=1)).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
