"""Importing a Python file by its path."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from advkd.errors import AdvkdError, error


def imported(path: Path, place: str) -> ModuleType:
    """The module of a file; an `AdvkdError` at `place` if it is none or fails."""
    spec = spec_from_file_location(f"advkd_loaded_{path.stem}", path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise error(place, "is not a Python file", given=path, remedy="write the path of a FILE.py")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except AdvkdError:
        raise
    except Exception as cause:
        problem = f"{type(cause).__name__}: {cause}"
        raise error(place, problem, given=path, remedy="repair the file") from cause
    return module
