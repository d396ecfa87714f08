"""`advkd new-plugin`: what it writes for each slot installs, lists, passes its checks and runs, unedited."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from fake import distribution, on_path
from fresh import PIP, ROOT
from parts import TINY

import advkd
from advkd.auditing.case import resolve_case
from advkd.cli import main
from advkd.registry import SLOTS, YAML_SLOTS, entries, find
from advkd.registry.sources import source_of
from advkd.scaffold.write import LONGEST, TEMPLATES
from advkd.tables import broken

RUFF = Path(sys.executable).with_name("ruff")
STRICT = ("--select", "E,F,W,I,B,UP,D1,N,SIM,RUF,PT,ANN", "--ignore", "D105,D107,N812")
EXAMPLE = ROOT / "examples" / "third_party_plugin"


def new_plugin(*words: str) -> Result:
    return CliRunner().invoke(main, ["new-plugin", *words])


def name_of(slot: str) -> str:
    """As long as a name may be, so that every line it is in is as long as it gets."""
    return f"a-new-{slot}-".ljust(LONGEST, "x")


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> Path:
    """One distribution per slot."""
    folder = tmp_path_factory.mktemp("sources")
    for slot in SLOTS.values():
        done = new_plugin(name_of(slot), "--slot", slot, "--out", str(folder / slot))
        assert done.exit_code == 0, done.output
    return folder


@pytest.fixture(scope="module")
def shelf(sources) -> Iterator[Path]:
    """Where all of them are installed."""
    folder = sources.with_name("shelf")
    command = [*PIP, "install", "-q", "--no-deps", "--no-build-isolation", "--no-index", "--target", folder]
    done = subprocess.run([*command, *sources.iterdir()], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with on_path(folder):
        yield folder


def test_every_slot_has_templates():
    assert set(SLOTS.values()) <= {path.name for path in TEMPLATES.iterdir()}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("Late", "--slot", "loss"), "name: cannot name a distribution"),
        (("a_b", "--slot", "loss"), "name: cannot name a distribution"),
        (("x" * 25, "--slot", "loss"), "24 characters at most"),
        (("null", "--slot", "loss"), "name: means something else in YAML"),
        (("kl", "--slot", "loss"), r"name: the loss kl is taken by advkd 0"),
        (("rslad", "--slot", "loss"), r"name: the preset rslad is taken by advkd 0"),
        (("plugins", "--slot", "loss"), "name: a package advkd_plugins is installed"),
        (("late", "--slot", "lsos"), "(?s)slot: unknown slot.*nearest  loss"),
        (("late", "--slot", "loss", "--out", "full"), "(?s)out: is there already.*do +choose another"),
        (("late", "--slot", "loss", "--out", "~/full"), "out: is there already"),
    ],
)
def test_what_cannot_be_written_is_refused(words, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("full").mkdir()
    Path("full", "notes").write_text("mine")
    monkeypatch.setenv("HOME", str(tmp_path))
    done = new_plugin(*words)
    assert done.exit_code == 2
    assert re.search(says, done.output), done.output
    assert [path.name for path in tmp_path.rglob("*")] == ["full", "notes"]


def test_a_name_of_somebody_else_is_taken_too(site, tmp_path):
    distribution(site, "theirs", "[advkd.losses]\nlate = theirs:Late\n")
    done = new_plugin("late", "--slot", "loss", "--out", str(tmp_path / "late"))
    assert "the loss late is taken by theirs 1.5" in done.output


def test_an_empty_folder_is_filled_and_the_next_commands_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("late").mkdir()
    done = new_plugin("late", "--slot", "weighting")
    assert done.exit_code == 0
    assert "python -m pip install -e 'late[test]'\n" in done.output
    assert "advkd check weighting late\n" in done.output
    assert "advkd run preset=late\n" in done.output
    written = {path.relative_to("late").as_posix() for path in Path("late").rglob("*.*")}
    package = {f"advkd_late/{name}" for name in ("__init__.py", "weighting.py", "late.yaml", "py.typed")}
    assert written == package | {"setup.cfg", "pyproject.toml", "README.md", "tests/test_advkd_late.py"}
    assert len(Path("late/pyproject.toml").read_text().splitlines()) == 3
    card = Path("late/README.md").read_text()
    assert all(f"**{part}" in card for part in ("Source", "Formula", "What the published", "Options"))
    assert [path.name for path in tmp_path.iterdir()] == ["late"]


def test_it_can_be_written_where_one_stands_and_not_beneath_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert new_plugin("late", "--slot", "loss", "--out", ".").exit_code == 0
    assert Path.cwd().samefile(tmp_path)
    assert Path("setup.cfg").is_file()
    done = new_plugin("later", "--slot", "loss", "--out", "setup.cfg/later")
    assert done.exit_code == 2
    assert "out: cannot be written" in done.output


@pytest.mark.parametrize("slot", ["method", "loss"])
def test_the_command_that_checks_it_is_whole(slot, tmp_path):
    done = new_plugin("whole", "--slot", slot, "--out", str(tmp_path / "whole"))
    command = f"advkd check {slot} whole" + (" attack=pgd" if slot == "method" else "")
    assert f"  {command}\n" in done.output
    assert f"    {command}\n" in (tmp_path / "whole" / "README.md").read_text()


@pytest.mark.parametrize("width", ["88", "110"])
def test_what_is_written_is_formatted_and_linted(sources, width):
    for folder in (*sources.iterdir(), EXAMPLE):
        length = f"--line-length={width}"
        if folder == EXAMPLE and width != "88":
            continue
        for command in (("format", "--check", "--diff"), ("check", *STRICT)):
            done = subprocess.run(
                [RUFF, *command, "--isolated", "--no-cache", length, "."],
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{folder}\n{done.stdout}"


@pytest.mark.slow
@pytest.mark.parametrize("slot", SLOTS)
def test_it_is_listed_and_whole(slot, shelf):
    name = name_of(SLOTS[slot])
    entry = find(slot, name)
    assert (entry.distribution, entry.version) == (f"advkd-{name}", "0.1.0")
    source = source_of(entry)
    assert source.file is not None
    assert source.file.is_relative_to(shelf)
    assert source.headline.endswith(".")
    assert broken(slot, name) is None


@pytest.mark.slow
@pytest.mark.parametrize("slot", [slot for slot in SLOTS if slot != "suites"])
def test_it_runs(slot, shelf, tmp_path):
    name = name_of(SLOTS[slot])
    named = "presets" if name in entries("presets") else "settings"
    words = (f"preset={name}",) if named == "presets" else ("preset=rslad", f"setting={name}")
    result = advkd.train(advkd.resolve(*TINY, *words, "epochs=1"), out=tmp_path / "run")
    assert result.clean > 0
    used = (tmp_path / "run" / "run.yaml").read_text()
    assert f"{SLOTS[named]}: {name}\n" in used
    if slot not in YAML_SLOTS:
        assert f"use: {name}\n" in used


@pytest.mark.slow
def test_the_suite_resolves(shelf):
    case = resolve_case("nets.py:make", "setting=digits", f"suite={name_of('suite')}")
    assert {"pgd-20", "pgd-100"} <= set(case.evaluators)


@pytest.mark.slow
def test_options_of_its_card_resolve(shelf, sources):
    for slot in SLOTS.values():
        text = (sources / slot / "README.md").read_text()
        (word,) = re.findall(r"^\| `([^`]*=[^`]*)` \|", text, re.MULTILINE)
        name = name_of(slot)
        if slot == "suite":
            assert resolve_case("nets.py:make", "setting=digits", f"suite={name}", word)
            continue
        words = (f"preset={name}",) if name in entries("presets") else ("preset=rslad", f"setting={name}")
        assert advkd.resolve(*words, word).resolved != advkd.resolve(*words).resolved


def outside(*command: str | Path, folder: Path, **more: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", **more},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.skipif(find_spec("mypy") is None, reason="mypy is not installed")
def test_it_is_typed(shelf):
    packages = sorted(path.name for path in shelf.iterdir() if path.suffix != ".dist-info")
    config = (
        "--follow-imports=silent",
        "--config-file",
        ROOT / "setup.cfg",
        "--cache-dir",
        ROOT / ".mypy_cache",
    )
    words = [word for package in packages for word in ("-p", package)]
    assert "Success" in outside("mypy", *config, *words, folder=shelf, MYPYPATH=str(ROOT))


if find_spec("advkd.testing"):

    @pytest.mark.slow
    @pytest.mark.parametrize("slot", SLOTS.values())
    def test_its_own_tests_pass(slot, shelf, sources):
        tests = sources / slot / "tests"
        said = outside("pytest", "-q", "-p", "no:cacheprovider", tests, folder=tests, PYTHONPATH=str(shelf))
        assert re.search(r"\d+ passed", said)
