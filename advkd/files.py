"""Paths as people write them, and files written whole or not at all: bytes, JSON, NumPy arrays."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from filelock import BaseFileLock, Timeout
from numpy.typing import NDArray

from advkd.errors import error


def expanded(path: str | Path) -> Path:
    """A path with its `~` or `~user` put in; as it is where there is no such user."""
    # pathlib raises for a user nobody knows
    return Path(os.path.expanduser(path))  # noqa: PTH111


def write_bytes(path: Path, data: bytes) -> None:
    """Puts `data` at `path` in one move; after a failure what was there still stands.

    Raises `AdvkdError` where the file cannot be written.
    """
    # opened by name, not by `tempfile`, whose files only their owner may read
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as failure:
        raise error(
            f"writing {path.name}",
            failure.strerror or str(failure),
            given=path,
            remedy="make room or choose another folder; nothing that was there has been changed",
        ) from failure
    finally:
        # where nothing can be written there is nothing to remove, and the error above is the one to see
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def held(lock: BaseFileLock) -> Iterator[None]:
    """Holds a lock inside the block. Raises `AdvkdError` where its file cannot be made."""
    try:
        lock.acquire()
    except Timeout:
        raise
    except OSError as failure:
        problem = failure.strerror or str(failure)
        raise error(
            "writing a lock", problem, given=lock.lock_file, remedy="choose a folder that can be written to"
        ) from failure
    try:
        yield
    finally:
        lock.release()


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes `content` as indented JSON."""
    write_bytes(path, (json.dumps(content, indent=2) + "\n").encode())


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Writes arrays as a compressed `.npz`, without pickles."""
    buffer = BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_bytes(path, buffer.getvalue())
