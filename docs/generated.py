"""The pages nobody writes by hand: the cards of all methods, the members of every slot, all words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from advkd.registry import SLOTS, YAML_SLOTS, Entry, entries
from advkd.registry.sources import source_of

ROOT = Path(__file__).parent.parent


def write(folder: Path) -> None:
    """`cards.md`, `cards/NAME.md`, `words.md`, one page per slot; a page that is the same is left."""
    (folder / "cards").mkdir(parents=True, exist_ok=True)
    pages = {"cards": table_of_cards(), "members": members(), "words": words()}
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
    from advkd.registry import load

    yield from _options(load(entry.slot, entry.name), set())


def words() -> str:
    """What can be said of a run and of an audit: every key, its type, its default."""
    import inspect

    from advkd.config.case import Case
    from advkd.config.run import Spec

    parts = [
        "# Words",
        "The keys of a run and of an audit, with the types that their values have. What needs a value has "
        "one from the setting, the preset or the suite. A key of a group is written behind the group's: "
        "`split.train=1000`.",
    ]
    shown: set[type] = set()
    for title, cls in (("A run", Spec), ("An audit", Case)):
        texts = [inspect.getdoc(base) or "" for base in cls.__mro__ if base is not object]
        parts += [f"## {title}", *texts, *_options(cls, shown)]
    return "\n\n".join(parts) + "\n"


def _options(cls: Any, shown: set[type]) -> Iterator[str]:
    """The table of options, if there are any, then those of the groups that are not in `shown`."""
    import inspect

    from advkd.config.build import groups_of

    rows = list(_rows(cls))
    if rows:
        yield "\n".join(["| option | type | default |", "|---|---|---|", *rows])
    for group in groups_of(cls).values():
        if group not in shown:
            shown.add(group)
            yield f"**{group.__name__}.** {inspect.getdoc(group)}"
            yield from _options(group, shown)


def _rows(cls: Any) -> Iterator[str]:
    import inspect

    from advkd.config.build import options_of
    from advkd.tables import typed

    for name, (annotation, default) in options_of(cls).items():
        written = "null" if default is None else repr(default)
        shown = "needs a value" if default is inspect.Parameter.empty else f"`{written}`"
        kind = typed(annotation).replace("|", "\\|")
        yield f"| `{name}` | {kind} | {shown} |"
