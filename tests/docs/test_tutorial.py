"""docs/plugins.md, from its first command to its last, in an environment of its own."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from fresh import ROOT, SMALL, fresh, wheel

PAGE = ROOT / "docs" / "plugins.md"
OF_THE_KIT = ("advkd check", "python -m pytest")


def blocks() -> list[tuple[str, str]]:
    """Language and text of every block of the page."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def command(line: str) -> str:
    """A line as the test runs it: whatever trains, trains little."""
    # students that are compared are judged by a suite
    judged_by_a_suite = [word for word in SMALL if "evaluation" not in word]
    line = re.sub(r"\badvkd run ", f"advkd run {' '.join(SMALL)} ", line)
    return re.sub(r"\badvkd compare ", f"advkd compare {' '.join(judged_by_a_suite)} ", line)


def test_the_page_has_both_kinds_of_blocks():
    assert {language for language, _ in blocks()} == {"python", "sh"}
    assert len(blocks()) > 8


@pytest.mark.slow
def test_every_block_runs(tmp_path):
    there = fresh(tmp_path, wheel(ROOT, tmp_path))
    desk = tmp_path / "desk"
    desk.mkdir()
    said = ""
    for language, text in blocks():
        if language == "python":
            file = re.match(r"# (\S+\.py)\n", text)
            assert file, text
            assert (desk / file[1]).parent.is_dir()
            (desk / file[1]).write_text(text)
            continue
        for line in text.splitlines():
            if line.startswith(OF_THE_KIT) and not find_spec("advkd.testing"):
                continue
            cache = str(tmp_path / "teachers")
            said += there.run("bash", "-c", command(line), cwd=desk, ADVKD_CACHE=cache)
    assert "broken: " not in said
    assert ", 0 broken" in said
    assert len(re.findall(r"What the student does not give to the true class", said)) >= 4
    runs = {path.parent.name for path in Path(desk, "runs").glob("*/result.json")}
    assert runs == {"first", "third", "unedited", "alone"}
    assert {"doubt", "control", "rslad"} <= set(re.findall(r"\d/6 +(\S+) +seed", said))
