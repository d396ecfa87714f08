"""The example plugin, as a stranger's: its wheel beside that of advkd in an environment of its own."""

from __future__ import annotations

import configparser
import json
import re
import shlex
from importlib.util import find_spec

import pytest
from fake import distribution, on_path
from fresh import ROOT, SMALL, fresh, wheel

import advkd

EXAMPLE = ROOT / "examples" / "third_party_plugin"


@pytest.mark.slow
def test_the_example_installs_and_runs_beside_the_wheel_of_advkd(tmp_path):
    there = fresh(tmp_path, wheel(ROOT, tmp_path), wheel(EXAMPLE, tmp_path))

    code = "import advkd, advkd_curriculum as one; print(advkd.__file__, one.__file__, sep='\\n')"
    files = there.run("python", "-c", code, cwd=tmp_path).splitlines()
    assert all(file.startswith(str(there.folder)) for file in files)

    listed = there.run("advkd", "list", "--check", "weightings", cwd=tmp_path)
    assert re.search(r"^curriculum +A bell over the path.* advkd-curriculum 0\.1\.0", listed, re.MULTILINE)
    assert ", 0 broken" in listed
    cache = str(tmp_path / "teachers")
    there.run("advkd", "run", "preset=curriculum", *SMALL, "out=here", cwd=tmp_path, ADVKD_CACHE=cache)
    assert json.loads((tmp_path / "here" / "result.json").read_text())["preset"] == "curriculum"
    assert "use: curriculum" in (tmp_path / "here" / "run.yaml").read_text()

    if find_spec("advkd.testing"):
        there.run("advkd", "check", "weighting", "curriculum", cwd=tmp_path)
        tests = there.run("python", "-m", "pytest", EXAMPLE / "tests", "-p", "no:cacheprovider", cwd=tmp_path)
        assert re.search(r"\d+ passed", tests)


def test_the_words_of_its_card_resolve(site):
    config = configparser.ConfigParser()
    config.read(EXAMPLE / "setup.cfg")
    points = config["options.entry_points"]
    distribution(site, "advkd-curriculum", "".join(f"[{group}]{points[group]}\n" for group in points))
    card = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    options = re.findall(r"^\| `([^`]*=[^`]*)` \|", card, re.MULTILINE)
    commands = re.findall(r"^    advkd run (.*)$", card, re.MULTILINE)
    assert (len(options), len(commands)) == (3, 4)
    with on_path(EXAMPLE):
        known = advkd.resolve("preset=curriculum").hash
        hashes = {advkd.resolve("preset=curriculum", *shlex.split(words)).hash for words in options}
        hashes |= {advkd.resolve(*shlex.split(words)).hash for words in commands[1:]}
    assert len(hashes | {known}) == 7
