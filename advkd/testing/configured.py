"""What presets, settings and suites promise; each is given as its name or file, with words behind it.

A preset's method keeps the contract of methods, so it has their checks too.
"""

from __future__ import annotations

import functools
import shlex

from advkd.auditing.case import resolve_case
from advkd.config.layers import content_of, named
from advkd.config.resolve import resolve
from advkd.protocols import Method
from advkd.registry import YAML_SLOTS
from advkd.testing import methods
from advkd.testing.checks import check, checks, require


def read(text: str) -> tuple[str, list[str]]:
    """`NAME word word` as the name and its words."""
    name, *words = shlex.split(text)
    return name, words


@functools.cache
def method_of(text: str) -> Method:
    """The method of a preset."""
    name, words = read(text)
    return resolve(f"preset={name}", *words).method


for _slot in YAML_SLOTS:

    @check(_slot)
    def says_what_it_is(text: str, slot: str = _slot) -> None:
        """`about:` is one sentence, which `advkd list` shows."""
        about = str(content_of(slot, read(text)[0]).get("about", ""))
        require(about.endswith(".") and "\n" not in about.strip(), f"about is {about!r}")


@check("presets")
def resolves(text: str) -> None:
    """A preset resolves: every name and option is known, every network its method asks for is there."""
    name, words = read(text)
    resolve(f"preset={name}", *words)


@check("settings")
def resolves_with_a_preset(text: str) -> None:
    """A setting resolves together with a preset, and says who the teacher is."""
    name, words = read(text)
    run = resolve("preset=standard", f"setting={name}", *words)
    require(run.teacher is not None, "there is no teacher")


@check("settings")
def says_nothing_of_the_method(text: str) -> None:
    """What is learned is the preset's to say: a setting brings no method."""
    found = {"method", "preset"} & named("settings", read(text)[0]).keys()
    require(not found, f"it sets {', '.join(sorted(found))}")


@check("suites")
def resolves_to_evaluators(text: str) -> None:
    """A suite resolves on its own, and attacks with something."""
    name, words = read(text)
    case = resolve_case("net.py:make", "setting=digits", f"suite={name}", *words)
    require(case.evaluators, "it holds no evaluator")


for _check in checks("methods").values():
    # the method itself was checked where it was written
    if _check.run.__module__ == methods.__name__:
        check("presets", _check.when, of=method_of)(_check.run)
