"""Checksums of fetched files, recorded beside them in the format of `sha256sum`."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

from advkd.errors import error
from advkd.files import write_bytes

PLACE = "robustbench.sha256"


def checked(file: Path, expected: str | None) -> None:
    """Raises an `AdvkdError` for a file that is not what was `expected`, or not what its record says."""
    record = _record(file)
    if expected is None and not record.is_file():
        return
    found = sha256(file)
    if expected is not None and found != expected.lower():
        remedy = "remove the file and fetch it again, or correct sha256"
        raise error(PLACE, f"the file has another: {found}", given=f"{expected} for {file}", remedy=remedy)
    known = record.read_text(encoding="utf-8").split()[:1] if record.is_file() else [found]
    if [found] != known:
        problem = f"the file is not the one first loaded: {found}, recorded {' '.join(known)}"
        remedy = f"fetch it again, or remove {record.name} if the change is meant"
        raise error(PLACE, problem, given=file, remedy=remedy)


def recorded(file: Path) -> None:
    """Records what a file is that has been loaded for the first time."""
    if not _record(file).is_file():
        found = sha256(file)
        write_bytes(_record(file), f"{found}  {file.name}\n".encode())
        logging.getLogger("advkd").info("%s: sha256 %s recorded", file.name, found)


def sha256(file: Path) -> str:
    """The checksum of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _record(file: Path) -> Path:
    return file.with_name(f"{file.name}.sha256")
