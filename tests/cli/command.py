"""The command as a shell runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ADVKD = Path(sys.executable).with_name("advkd")


def advkd(*words: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "160", "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [ADVKD, *words], capture_output=True, text=True, check=False, cwd=folder, env=environment
    )
