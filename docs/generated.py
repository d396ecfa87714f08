"""The pages nobody writes by hand: the cards of all methods, the members of every slot."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from advkd.registry import SLOTS, YAML_SLOTS, Entry, entries
from advkd.sources import source_of

ROOT = Path(__file__).parent.parent


def write(folder: Path) -> None:
    """`cards.md`, `cards/NAME.md` and one page per slot, in `folder`; a page that is the same is left."""
    (folder / "cards").mkdir(parents=True, exist_ok=True)
    pages = {"cards": table_of_cards(), "members": members()}
    pages |= {f"cards/{card.parent.name}": moved(card.read_text(encoding="utf-8")) for card in cards()}
    pages |= {slot: slot_page(slot) for slot in SLOTS}
    for name, text in pages.items():
        file = folder / f"{name}.md"
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")


def cards() -> list[Path]:
    """The card of every first-party plugin."""
    return sorted((ROOT / "plugins" / "advkd_plugins").glob("*/README.md"))


def table_of_cards() -> str:
    """All cards in one table, with their formulas below."""
    rows, formulas = [], []
    for card in cards():
        text = card.read_text(encoding="utf-8")
        title, rest = text.lstrip("# ").split("\n", 1)
        what = " ".join(rest.strip().split("\n\n")[0].split())
        rows.append(f"| [{title}](cards/{card.parent.name}.md) | {what} |")
        formula = re.search(r"\*\*Formula\.\*\*(.*?\n(?:    .*\n|\n)+)", text)
        if formula:
            shown = formula[1].strip("\n").rstrip()
            formulas.append(f"**{title}**\n\n{shown}\n")
    names = "\n".join(f"cards/{card.parent.name}" for card in cards())
    return "\n".join(
        [
            "# Methods and bridges",
            "",
            "Every first-party plugin has a card: source, formula, how published code differs, options.",
            "",
            "| card | what it does |",
            "|---|---|",
            *rows,
            "",
            "## Formulas",
            "",
            *formulas,
            f"```{{toctree}}\n:hidden:\n\n{names}\n```\n",
        ]
    )


def moved(card: str) -> str:
    """A card's text where links reach the pages of this folder."""
    return card.replace("](../../../docs/", "](../../")


def members() -> str:
    """The list of slots."""
    pages = "\n".join(SLOTS)
    return (
        "# Members\n\nEvery name of every slot, as `advkd list` shows them; `advkd show SLOT NAME` adds file "
        f"and line.\n\n```{{toctree}}\n\n{pages}\n```\n"
    )


def slot_page(slot: str) -> str:
    """What a slot holds: each name with its text and its options."""
    parts = [f"# {slot.capitalize()}", f"Entry-point group `advkd.{slot}`, key `{SLOTS[slot]}`."]
    for name, claims in entries(slot).items():
        parts += [f"## `{name}`", *_entry(claims[0])]
    return "\n\n".join(parts) + "\n"


def _entry(entry: Entry) -> Iterator[str]:
    # docstrings are written for terminals: shown as they are
    yield f"```\n{source_of(entry).text.strip()}\n```"
    if entry.slot in YAML_SLOTS:
        return
    options = list(_options(entry))
    if options:
        yield "\n".join(["| option | type | default |", "|---|---|---|", *options])


def _options(entry: Entry) -> Iterator[str]:
    import inspect

    from advkd.config.build import options_of
    from advkd.registry import load
    from advkd.tables import typed

    for name, (annotation, default) in options_of(load(entry.slot, entry.name)).items():
        shown = "needs a value" if default is inspect.Parameter.empty else f"`{default!r}`"
        kind = typed(annotation).replace("|", "\\|")
        yield f"| `{name}` | {kind} | {shown} |"
