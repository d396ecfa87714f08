"""Broken plugins: each is reported by name, distribution and remedy, and breaks only its own name."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from fake import distribution
from parts import TINY

from advkd.cli import main
from advkd.networks.engine import flops_of
from advkd.registry.blame import blamed

WEIGHTING = 'class Odd:\n    """One line."""\n\n    def __call__(self, {}):\n        return None\n'
WHOLE = WEIGHTING.format("view, step")
PATH = "method.branches.untargeted.terms.path.weight"


@dataclass(frozen=True)
class Broken:
    """A faulty distribution `odd-plugin`: how its name is used, what is said then, who says so in a list."""

    points: str
    says: str
    remedy: str
    files: dict[str, str] = field(default_factory=dict)
    requires: str = ""
    name: str = "odd"
    words: tuple[str, ...] = ("preset=path-dual", f"{PATH}=odd")
    at_once: bool = True
    """Whether a list says so without importing anything."""


MEMBER, PRESET = "[advkd.weightings]\nodd = odd_code:Odd\n", "[advkd.presets]\nodd = odd_code\n"
UNINSTALL = "repair or uninstall odd-plugin; all other names still work"
PRESET_WORDS = ("preset=odd",)
KINDS = {
    "no such module": Broken(MEMBER, "No module named 'odd_code'", UNINSTALL),
    "no such class": Broken(MEMBER, "no attribute 'Odd'", UNINSTALL, {"odd_code.py": "odd = 1\n"}),
    "fails to import": Broken(
        MEMBER,
        "RuntimeError: no",
        UNINSTALL,
        {"odd_code.py": f"{WHOLE}\n\nraise RuntimeError('no')\n"},
        at_once=False,
    ),
    "ends the process": Broken(
        MEMBER,
        "SystemExit: 3",
        UNINSTALL,
        {"odd_code.py": f"{WHOLE}\n\nraise SystemExit(3)\n"},
        at_once=False,
    ),
    "a taken name": Broken(
        "[advkd.weightings]\nimpact = odd_code:Odd\n",
        r"claimed by two distributions: advkd 0.* and odd-plugin 1\.5",
        "uninstall one of them",
        {"odd_code.py": WHOLE},
        name="impact",
        words=("preset=path-dual", f"{PATH}=impact"),
    ),
    "a wrong signature": Broken(
        MEMBER,
        r"does not fit the contract of its slot\s+given +__call__\(self, view\)",
        r"the contract is __call__\(self, view: 'View', step: 'Step'\)",
        {"odd_code.py": WEIGHTING.format("view")},
        at_once=False,
    ),
    "a newer protocol": Broken(
        MEMBER,
        r"is written for another advkd\s+given +odd-plugin 1\.5 requires advkd >=99, this is 0",
        "pip install 'advkd>=99', or another version of odd-plugin",
        {"odd_code.py": WHOLE},
        requires="advkd>=99",
    ),
    "a preset for a newer protocol": Broken(
        PRESET,
        r"is written for another advkd\s+given +odd-plugin 1\.5 requires advkd >=99, this is 0",
        "pip install 'advkd>=99', or another version of odd-plugin",
        {"odd_code/__init__.py": "", "odd_code/odd.yaml": "extends: rslad\n"},
        requires="advkd>=99",
        words=PRESET_WORDS,
    ),
    "a preset without its file": Broken(
        PRESET, "odd.yaml is not in odd_code", UNINSTALL, {"odd_code/__init__.py": ""}, words=PRESET_WORDS
    ),
    "a preset that is not YAML": Broken(
        PRESET,
        "is not YAML",
        UNINSTALL,
        {"odd_code/__init__.py": "", "odd_code/odd.yaml": "about: [\n"},
        words=PRESET_WORDS,
    ),
    "a preset that is a list": Broken(
        PRESET,
        "must hold a mapping",
        UNINSTALL,
        {"odd_code/__init__.py": "", "odd_code/odd.yaml": "- method\n"},
        words=PRESET_WORDS,
        at_once=False,
    ),
}


def advkd(*words: str) -> Result:
    return CliRunner().invoke(main, words, env={"COLUMNS": "200"})


def line_of(name: str, listed: str) -> str:
    """The rows of a name in a list; a broken one stands out from those of all others."""
    return "\n".join(line for line in listed.splitlines() if re.match(rf"{name}\b", line))


@pytest.fixture(params=KINDS)
def broken(request: pytest.FixtureRequest, site: Path) -> Broken:
    kind = KINDS[request.param]
    distribution(site, "odd-plugin", kind.points, kind.files, kind.requires)
    return kind


def test_its_name_is_listed_and_marked(broken):
    plain, checked = advkd("list"), advkd("list", "--check")
    assert (plain.exit_code, checked.exit_code) == (0, 2)
    assert "odd-plugin 1.5" in line_of(broken.name, plain.output)
    assert "broken: " in line_of(broken.name, checked.output)
    assert checked.output.count("broken: ") == (2 if broken.name == "impact" else 1)
    assert re.search(rf"^\d+ names, 1 broken \(\w+ {broken.name}\)$", checked.output, re.MULTILINE)
    marks = ("broken: ", "is not there", "is not in", "cannot be read")
    assert broken.at_once == any(mark in line_of(broken.name, plain.output) for mark in marks)


def test_a_group_that_is_no_slot_is_told(site):
    distribution(site, "odd-plugin", "[advkd.lossess]\nodd = odd_code:Odd\n")
    says = "odd-plugin 1.5 has names in advkd.lossess, which is no slot, the nearest is advkd.losses"
    assert says in advkd("list").output


def test_its_own_name_says_what_and_whose_and_what_to_do(broken):
    done = advkd("show", *broken.words)
    assert done.exit_code == 2
    for said in (broken.name, "odd-plugin", broken.says, rf"do +{broken.remedy}"):
        assert re.search(said, done.output), (said, done.output)


def test_every_other_name_still_works(broken):
    done = advkd("show", "preset=path-dual", "epochs=2")
    assert done.exit_code == 0, done.output
    assert "use: boundary" in done.output


FAILS = 'class Odd:\n    """One line."""\n\n    def __call__(self, view, step):\n        return view.path.z\n'


def test_one_that_fails_in_a_run_is_told_by_its_line_and_not_by_a_traceback(site, tmp_path):
    distribution(site, "odd-plugin", MEMBER, {"odd_code.py": FAILS})
    done = advkd("run", "preset=path-single", f"{PATH}=odd", *TINY, f"out={tmp_path / 'run'}")
    assert done.exit_code == 2
    assert re.match(r"weighting odd: AttributeError: 'Path' object has no attribute 'z'", done.stderr)
    assert re.search(r"given +.*odd_code\.py:5, in __call__ \(odd-plugin 1\.5\)", done.stderr)
    assert "advkd check weighting odd says" in done.stderr


def test_a_file_that_fails_in_a_run_is_named_with_its_line(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(f'import advkd\n\n\n@advkd.register("weightings", "odd")\n{FAILS}')
    words = (f"load={file}", "preset=path-single", f"{PATH}=odd")
    done = advkd("run", *words, *TINY, f"out={tmp_path / 'run'}")
    assert done.exit_code == 2
    assert f"given    {file}:9, in __call__" in done.stderr
    assert f"advkd check weighting odd load={file}" in done.stderr


def test_a_failure_of_the_toolkit_itself_is_nobody_elses(site):
    distribution(site, "odd-plugin", MEMBER, {"odd_code.py": WHOLE})
    with pytest.raises(Exception, match="NoneType") as caught:
        flops_of(None, (1, 8, 8), torch.device("cpu"))
    assert blamed(caught.value) is None
