"""Importing a Python file by its path."""

from __future__ import annotations

import sys
import traceback
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from advkd.errors import AdvkdError, error


def imported(path: Path, place: str) -> ModuleType:
    """The module of a file; an `AdvkdError` at `place` if it is none or fails."""
    spec = spec_from_file_location(f"advkd_loaded_{path.stem}", path)
    if not path.is_file():
        raise error(place, "no such file", given=path.absolute(), remedy="write the path of a FILE.py")
    if spec is None or spec.loader is None:
        raise error(place, "is not a Python file", given=path, remedy="write the path of a FILE.py")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    # its neighbours can be imported as they could from a script; last, so that they hide nothing
    if (folder := str(path.parent.absolute())) not in sys.path:
        sys.path.append(folder)
    try:
        spec.loader.exec_module(module)
    except AdvkdError:
        raise
    # a script that ends itself would end the command that reads it, without a word
    except (Exception, SystemExit) as cause:
        problem = f"{type(cause).__name__}: {cause}"
        raise error(place, problem, given=f"{path}:{_line(spec, cause)}", remedy="repair the file") from cause
    return module


def _line(spec: ModuleSpec, cause: BaseException) -> int:
    """The line of the file at which it failed."""
    if isinstance(cause, SyntaxError) and cause.filename == spec.origin:
        return cause.lineno or 1
    frames = traceback.extract_tb(cause.__traceback__)
    return next((frame.lineno or 1 for frame in reversed(frames) if frame.filename == spec.origin), 1)
