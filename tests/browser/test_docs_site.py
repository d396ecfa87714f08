"""The documentation as a site: it builds without a warning, its links lead somewhere, it opens."""

from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlparse

import pytest
from chromium import DESK, PHONE

DOCS = Path(__file__).parents[2] / "docs"
OUTSIDE = {"http", "https", "mailto", "data", "javascript"}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Every page of the site by its place, with what it holds."""
    folder = tmp_path_factory.mktemp("docs")
    build = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", str(DOCS), str(folder)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {page: Page(page) for page in folder.rglob("*.html")}


class Page(HTMLParser):
    """The links of a page and what can be linked to in it."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors = {"", "top"}
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        of = dict(attrs)
        self.anchors |= {of["id"]} if of.get("id") else set()
        self.links += [of[name] for name in ("href", "src") if of.get(name)]


def broken(pages: dict[Path, Page]) -> list[str]:
    """Links within the site that lead nowhere."""
    found = []
    for place, page in pages.items():
        for link in page.links:
            if urlparse(link).scheme in OUTSIDE:
                continue
            target, anchor = urldefrag(link)
            to = (place.parent / unquote(urlparse(target).path)).resolve() if target else place
            if not to.is_file() or (to in pages and unquote(anchor) not in pages[to].anchors):
                found.append(f"{place.name}: {link}")
    return found


def test_every_link_leads_somewhere(pages):
    assert len(pages) > 30
    assert sum(len(page.links) for page in pages.values()) > 1000
    assert broken(pages) == []


@pytest.mark.parametrize("link", ["gone.html", "linked.html#gone", "#gone"])
def test_a_link_to_nowhere_is_found(tmp_path, link):
    place = tmp_path / "linked.html"
    place.write_text(f'<a href="{link}">there</a><a href="linked.html#here">here</a><i id="here"></i>')
    assert broken({place: Page(place)}) == [f"linked.html: {link}"]


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_every_page_opens(browser, pages, viewport):
    context = browser.new_context(viewport=viewport)
    tab = context.new_page()
    said: list[str] = []
    tab.on("console", lambda message: said.append(f"{tab.url}: {message.text}"))
    tab.on("pageerror", lambda cause: said.append(f"{tab.url}: {cause}"))
    tab.on("requestfailed", lambda request: said.append(f"{tab.url}: {request.url} failed"))
    for page in pages:
        if page.stem in {"search", "genindex"}:
            continue
        tab.goto(page.as_uri())
        assert tab.query_selector("h1").inner_text().strip(), page
        wide = tab.evaluate("document.documentElement.scrollWidth")
        if wide > viewport["width"]:
            said.append(f"{page.name} is {wide} wide")
    context.close()
    assert said == []
