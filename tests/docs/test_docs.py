"""The documents name what exists."""

from __future__ import annotations

import inspect
import re
import shlex
from pathlib import Path

import pytest

import advkd
from advkd.auditing.case import resolve_case
from advkd.config.build import options_of
from advkd.config.case import Case
from advkd.registry import entries

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("plugins/*/*/README.md")]
EXECUTED = ROOT / "docs" / "plugins.md"
"""Run as a whole by `test_tutorial`: its commands speak of what it writes."""
OWN = "load=nets.py"
"""Of the page for beginners; run by `test_own_networks`."""
API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def title(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        assert link.startswith("http") or (page.parent / link).exists(), link


def test_readme_lists_every_preset():
    table = README[README.index("| preset |") :]
    for preset in entries("presets"):
        assert f"`{preset}`" in table, preset


def test_readme_has_its_two_commands_first():
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    assert "pip install" in blocks[0]
    assert "advkd run preset=path-dual" in blocks[0]
    assert "pytest" in blocks[1]
    assert all(block.count("\n") == 1 for block in blocks[:2])


def commands() -> list[tuple[str, str]]:
    found = []
    for page in [page for page in PAGES if page != EXECUTED]:
        for line in page.read_text(encoding="utf-8").splitlines():
            line = line.split("  #")[0].strip().strip("`")
            match = re.search(r"advkd (?:run|show) (.*=.*)", line)
            if match and not {"|", "`"} & set(line) and not any(word in line for word in ("resume=", OWN)):
                found.append((title(page), match[1].split("&&")[0]))
    return found


@pytest.mark.parametrize(("page", "words"), commands())
def test_commands_resolve(page, words):
    run = advkd.resolve(*[word for word in shlex.split(words) if not word.startswith(("out=", "load="))])
    assert run.epochs > 0


def audits() -> list[tuple[str, str]]:
    lines = [(title(page), line) for page in PAGES for line in page.read_text(encoding="utf-8").splitlines()]
    found = [(page, re.search(r"advkd eval \S+ (.*=.*)", line.split("  #")[0])) for page, line in lines]
    return [(page, match[1]) for page, match in found if match and not any(n in match[1] for n in ("`", OWN))]


@pytest.mark.parametrize(("page", "words"), audits())
def test_audits_resolve(page, words):
    kept = [word for word in shlex.split(words) if not word.startswith("out=")]
    case = resolve_case("nets.py:make", "setting=digits", *kept)
    assert case.evaluators


def options() -> list[tuple[str, str]]:
    """Words in the option tables of the cards, each with the preset, or else the first run, of its card."""
    found = []
    for card in ROOT.glob("plugins/*/*/README.md"):
        text = card.read_text(encoding="utf-8")
        name = re.findall(r"`(\S+?)`", text.splitlines()[0])[0]
        run = f"preset={name}" if name in entries("presets") else re.findall(r"    advkd run (.*)", text)[0]
        found += [(run, words) for words in re.findall(r"^\| `([^`]*=[^`]*)` \|", text, re.MULTILINE)]
    return found


@pytest.mark.parametrize(("run", "words"), options())
def test_options_of_cards_resolve(run, words):
    changed = advkd.resolve(*shlex.split(run), *shlex.split(words))
    assert changed.hash != advkd.resolve(*shlex.split(run)).hash


@pytest.mark.parametrize("line", re.findall(r"^advkd\..*", API, re.MULTILINE))
def test_signatures_are_those_of_the_code(line):
    name = re.findall(r"\w+", line)[1]
    empty, signature = inspect.Parameter.empty, inspect.signature(getattr(advkd, name))
    bare = [parameter.replace(annotation=empty) for parameter in signature.parameters.values()]
    known = str(signature.replace(parameters=bare, return_annotation=empty)).replace("'", '"')
    assert line.startswith(f"advkd.{name}" + re.sub("<.*?>", "...", known))


@pytest.mark.parametrize("word", sorted({*options_of(Case)} - {"target"}))
def test_the_words_of_an_audit_are_explained(word):
    page = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
    table = page[page.index("## Words") : page.index("## The number")]
    assert re.search(rf"`\+?{word}[.=]", table)


def test_there_are_commands_to_check():
    assert len(options()) > 12
    assert len(commands()) > 8
    assert len(audits()) > 5


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=title)
def test_pages_are_finished(page):
    text = page.read_text(encoding="utf-8")
    for word in ("TODO", "RESULT-TABLE", "PYTEST-TIME", "MEASURED-BIAS"):
        assert word not in text
