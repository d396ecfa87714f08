"""The report in a real headless browser: it opens, draws, sorts, fits, and follows dark and print."""

from __future__ import annotations

import re

import pytest
from chromium import DESK, PHONE

from advkd.reporting import report

KINDS = ("comparison", "run")


@pytest.fixture(scope="session")
def pages(compared, tmp_path_factory):
    """The page of a comparison, and that of its first run."""
    folder = tmp_path_factory.mktemp("pages")
    run = next((compared / "cells").iterdir())
    return {kind: report(source, folder / kind) for kind, source in zip(KINDS, (compared, run), strict=True)}


@pytest.fixture
def opened(browser, pages):
    """Opens a page; fails at the end if it said or asked anything."""
    said, asked, contexts = [], [], []

    def open_(kind="comparison", viewport=DESK, scheme="light"):
        context = browser.new_context(viewport=viewport, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda cause: said.append(str(cause)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(pages[kind].as_uri())
        return page

    yield open_
    for context in contexts:
        context.close()
    assert not said
    own = {path.as_uri() for path in pages.values()}
    assert [url for url in asked if url not in own and not url.startswith("data:")] == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_every_figure_is_drawn(opened, kind, viewport):
    page = opened(kind, viewport)
    figures = page.query_selector_all("figure")
    assert len(figures) >= 9
    for figure in figures:
        name = figure.get_attribute("id")
        box = figure.bounding_box()
        assert min(box["width"], box["height"]) > 80, name
        assert figure.query_selector("figcaption").inner_text().strip(), name
        for svg in figure.query_selector_all("svg"):
            drawn = svg.evaluate(
                "e => [...e.querySelectorAll('path, use')].filter(p => p.getBoundingClientRect().width +"
                " p.getBoundingClientRect().height > 4).length"
            )
            assert drawn > 2, name
            size = svg.bounding_box()
            assert min(size["width"], size["height"]) > 30, name
        for image in figure.query_selector_all("img"):
            assert image.evaluate("e => e.complete && e.naturalWidth > 100"), name
        assert figure.query_selector("svg, table"), name


def column(page, table, index):
    cells = page.query_selector_all(f"{table} tbody tr > :nth-child({index + 1})")
    return [cell.get_attribute("data-value") or cell.inner_text() for cell in cells]


def test_the_table_sorts_by_mouse_and_by_keyboard(opened):
    page = opened()
    heads = page.query_selector_all("#methods thead th")
    names = [head.inner_text().split()[0] for head in heads]
    robust, seconds = names.index("robust"), names.index("wall")
    assert heads[robust].get_attribute("aria-sort") == "descending"
    values = [float(value) for value in column(page, "#methods", robust)]
    assert values == sorted(values, reverse=True)
    heads[seconds].query_selector("button").click()
    values = [float(value) for value in column(page, "#methods", seconds)]
    assert values == sorted(values, reverse=True)
    assert len(set(values)) > 1
    assert heads[seconds].get_attribute("aria-sort") == "descending"
    assert heads[robust].get_attribute("aria-sort") is None
    heads[seconds].query_selector("button").focus()
    page.keyboard.press("Enter")
    assert [float(value) for value in column(page, "#methods", seconds)] == sorted(values)
    assert heads[seconds].get_attribute("aria-sort") == "ascending"
    heads[0].query_selector("button").focus()
    page.keyboard.press("Space")
    assert column(page, "#methods", 0) == sorted(column(page, "#methods", 0))


def test_unknown_cells_sort_below_numbers(opened):
    page = opened()
    heads = page.query_selector_all("#every thead th")
    index = [head.inner_text().split()[0] for head in heads].index("robust")
    heads[index].query_selector("button").click()
    assert column(page, "#every", index)[-1] == "-"
    heads[index].query_selector("button").click()
    assert heads[index].get_attribute("aria-sort") == "ascending"
    assert column(page, "#every", index)[-1] == "-"


def test_a_label_as_long_as_its_words_leaves_room_for_numbers(opened):
    page = opened(viewport=PHONE)
    page.evaluate(
        "document.querySelectorAll('tbody .name, .legend span')"
        ".forEach(e => e.textContent = 'weight=boundary(net=student,kappa=0.1) lr=0.1' + 'x'.repeat(60))"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    widths = page.evaluate(
        "[...document.querySelectorAll('tbody th:first-child')].map(e => e.getBoundingClientRect().width)"
    )
    assert max(widths) < PHONE["width"] / 2


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_wider_than_a_phone(opened, kind):
    page = opened(kind, PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    wide = page.evaluate(
        "[...document.querySelectorAll('body *')].filter(e => !e.closest('.scroll, svg') &&"
        f" e.getBoundingClientRect().right > {PHONE['width']} + 0.5).map(e => e.outerHTML.slice(0, 80))"
    )
    assert wide == []
    sizes = page.evaluate(
        "[...document.querySelectorAll('svg text')].map(e => e.getBoundingClientRect().height)"
    )
    assert min(sizes) > 8


def luminance(colour):
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, two):
    low, high = sorted((luminance(one), luminance(two)))
    return (high + 0.05) / (low + 0.05)


def colours(page):
    """The page's background, and the colour of each kind of text on it."""
    ground = page.eval_on_selector("body", "e => getComputedStyle(e).backgroundColor")
    texts = {
        name: page.eval_on_selector(name, "e => getComputedStyle(e).color")
        for name in ("h1", "td", "dt", "figcaption", ".hint", "thead th")
    }
    texts |= {"svg text": page.eval_on_selector("#clean-robust svg text", "e => getComputedStyle(e).fill")}
    return ground, texts


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_light_and_dark(opened, scheme):
    page = opened(scheme=scheme)
    ground, texts = colours(page)
    assert (luminance(ground) > 0.5) == (scheme == "light")
    for name, colour in texts.items():
        assert contrast(ground, colour) >= 4.5, name
    marks = page.eval_on_selector_all(".mark", "all => all.map(e => getComputedStyle(e).color)")
    assert len(set(marks)) == len(marks)
    for colour in marks:
        assert contrast(ground, colour) >= 3


def test_print_shows_everything_in_black_on_white(opened):
    page = opened(scheme="dark")
    page.emulate_media(media="print")
    ground, texts = colours(page)
    assert luminance(ground) == pytest.approx(1)
    assert contrast(ground, texts["h1"]) > 15
    hidden = page.evaluate(
        "[...document.querySelectorAll('main > section, figure, table')].filter(e =>"
        " e.getBoundingClientRect().height < 20).map(e => e.id)"
    )
    assert hidden == []
    cut = page.evaluate(
        "[...document.querySelectorAll('.scroll')].filter(e =>"
        " getComputedStyle(e).overflowX !== 'visible').length"
    )
    assert cut == 0
    assert page.pdf(format="A4").startswith(b"%PDF")


@pytest.mark.parametrize("kind", KINDS)
def test_the_verdict_comes_first(opened, kind):
    page = opened(kind, PHONE)
    box = page.query_selector("h1").bounding_box()
    assert box["y"] < 100
    assert re.search(r"\d+\.\d %", page.query_selector("h1").inner_text())
    facts = page.query_selector(".facts").inner_text()
    for word in ("threat", "linf eps 0.2", "60 test images", "seeds", "training"):
        assert word in facts
