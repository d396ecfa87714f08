"""A virtual environment of its own, with the wheel of advkd in it and the libraries of this one beneath."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

from parts import TINY

ROOT = Path(__file__).parents[1]
PIP = (sys.executable, "-m", "pip")
OFFLINE = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_NO_CACHE_DIR": "1"}
"""No network; PIP_NO_BUILD_ISOLATION=0 is pip's way of saying: build with the setuptools that is there."""

SMALL = (*TINY, "epochs=1")
"""Words of a run that takes seconds."""


@dataclass(frozen=True)
class Fresh:
    """The environment in `folder`; what is installed into it comes before everything else."""

    folder: Path

    def run(self, *command: str | Path, cwd: Path, **environment: str) -> str:
        """What a command prints there; a failure shows all of it."""
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        settings = {**os.environ, **OFFLINE, "PATH": path, "COLUMNS": "160", "OMP_NUM_THREADS": "1"}
        # what else a system has for pytest is not of these tests
        settings["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        settings |= environment
        settings.pop("PYTHONPATH", None)
        done = subprocess.run(
            [str(word) for word in command],
            cwd=cwd,
            env=settings,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}"
        return done.stdout


def wheel(source: Path, folder: Path) -> Path:
    """The wheel of a source tree, built from a copy so that nothing is left in it."""
    copy = folder / f"source-of-{source.name}"
    everywhere = shutil.ignore_patterns(".*", "runs", "build", "*.egg-info", "__pycache__", "tests")

    def ignored(inside: str, names: list[str]) -> set[str]:
        # at the top these hold data sets and results, tens of thousands of files
        large = {"benchmarks", "data", "docs"} if Path(inside) == source else set()
        return everywhere(inside, names) | large

    shutil.copytree(source, copy, ignore=ignored)
    wheels = folder / f"wheel-of-{source.name}"
    command = [*PIP, "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", wheels, copy]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = wheels.glob("*.whl")
    return found


def fresh(folder: Path, *wheels: Path) -> Fresh:
    """A new environment with `wheels`, installed without dependencies; torch and the like shine through."""
    made = folder / "venv"
    venv.create(made, system_site_packages=True, symlinks=True)
    python = made / "bin" / "python"
    pip = [*PIP, "--python", python, "install", "-q", "--no-deps", "--no-index", "--ignore-installed"]
    subprocess.run([*pip, *wheels], check=True, capture_output=True)
    (site,) = made.glob("lib/python*/site-packages")
    # where the tests run in a virtual environment, its libraries are not those of the system
    beneath = [path for path in sys.path if path.endswith("-packages")]
    (site / "beneath.pth").write_text("\n".join(beneath) + "\n")
    return Fresh(made)
