"""What holds of the code as a whole."""

from __future__ import annotations

import ast
import configparser
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from fresh import wheel

ROOT = Path(__file__).parents[2]
PACKED = (".py", ".yaml", ".md", ".typed", ".html", ".css", ".js", ".safetensors", ".jinja")
SOURCES = [*ROOT.glob("advkd/**/*.py"), *ROOT.glob("plugins/**/*.py")]


def importing(module: str) -> set[str]:
    code = f"import sys, {module}; print('\\n'.join(sys.modules))"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(output.stdout.split())


@pytest.mark.parametrize("module", ["advkd", "advkd.cli", "advkd.registry", "advkd.registry.sources"])
def test_import_is_light(module):
    assert not importing(module) & {"torch", "timm", "art", "sklearn", "pydantic", "omegaconf", "statsmodels"}


def test_imports_go_down_only():
    tool = Path(sys.executable).with_name("lint-imports")
    if not tool.exists():
        pytest.skip("import-linter is not installed")
    done = subprocess.run([tool], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_files_and_functions_stay_small():
    every = [*SOURCES, *ROOT.glob("tests/**/*.py"), *ROOT.glob("benchmarks/**/*.py")]
    lengths = {file: len(file.read_text().splitlines()) for file in every}
    assert not {str(file): length for file, length in lengths.items() if length > 250}
    assert sorted(lengths.values())[len(lengths) // 2] < 100
    for file in every:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                assert node.end_lineno - node.lineno + 1 < 40, f"{file}:{node.lineno} {node.name}"


def test_the_map_in_the_docs_is_the_tree():
    rows = [line for line in (ROOT / "docs/architecture.md").read_text().splitlines() if line.startswith("|")]
    named = [names_in(row) for row in rows]
    assert modules(ROOT / "advkd") <= set().union(*named)
    for package in ("comparing", "reporting", "auditing", "training", "networks", "registry"):
        assert any(names >= modules(ROOT / "advkd" / package) | {package} for names in named), package


def names_in(row: str) -> set[str]:
    spans = [span for span in re.findall("`([^`]+)`", row) if not span.startswith("advkd ")]
    return {name.rstrip("/") for span in spans for name in span.split()}


def modules(folder: Path) -> set[str]:
    packages = {path.parent.name for path in folder.glob("*/__init__.py")}
    return packages | {path.stem for path in folder.glob("*.py") if not path.name.startswith("_")}


def test_no_two_test_files_have_one_name():
    # pytest would import the first in place of the second
    names = [file.name for file in (ROOT / "tests").rglob("test_*.py")]
    assert sorted({*names}) == sorted(names)


def test_nothing_assumes_one_device():
    for file in SOURCES:
        text = file.read_text()
        assert ".cuda()" not in text, file
        assert "unsafe" not in text, file


def test_the_core_knows_no_method_by_name():
    presets = {path.stem for path in ROOT.glob("plugins/advkd_plugins/*/*.yaml")}
    # words of other meanings, and the teacher's default preset
    presets -= {"standard", "trades"}
    for file in ROOT.glob("advkd/**/*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert node.value not in presets, f"{file}:{node.lineno} {node.value}"


def test_every_package_and_entry_point_is_declared():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    declared = set(config["options"]["packages"].split())
    there = {
        ".".join(init.parent.relative_to(base).parts)
        for base in (ROOT, ROOT / "plugins")
        for init in base.glob("advkd*/**/__init__.py")
    }
    assert declared == {name for name in there if not name.startswith("plugins")}
    files = {path.stem for path in ROOT.glob("plugins/advkd_plugins/*/*.yaml")}
    assert {line.split("=")[0].strip() for line in entry_lines(config, "advkd.presets")} == files
    files = {path.stem for path in ROOT.glob("advkd/settings/*.yaml")}
    assert {line.split("=")[0].strip() for line in entry_lines(config, "advkd.settings")} == files
    files = {path.stem for path in ROOT.glob("advkd/suites/*.yaml")}
    assert {line.split("=")[0].strip() for line in entry_lines(config, "advkd.suites")} == files


def entry_lines(config: configparser.ConfigParser, group: str) -> list[str]:
    return config["options.entry_points"][group].strip().splitlines()


def test_the_wheel_holds_the_tree(tmp_path):
    names = zipfile.ZipFile(wheel(ROOT, tmp_path)).namelist()
    packed = {name for name in names if ".dist-info/" not in name}
    tree = set()
    for base in (ROOT / "advkd", ROOT / "plugins" / "advkd_plugins"):
        for file in base.rglob("*"):
            if file.suffix in PACKED:
                tree.add(f"{base.name}/{file.relative_to(base).as_posix()}")
    assert packed == tree
