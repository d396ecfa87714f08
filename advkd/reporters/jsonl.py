"""One JSON object a line (`jsonl`)."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from advkd.errors import error
from advkd.files import expanded, write_bytes
from advkd.types import Record


@dataclass(frozen=True, kw_only=True)
class Jsonl:
    """Appends every record of an epoch to `path`; records of single steps are left out."""

    path: str

    def __call__(self, record: Record) -> None:
        """Append one line."""
        if record.step is not None:
            return
        content = {k: v for k, v in dataclasses.asdict(record).items() if v not in (None, {})}
        try:
            with expanded(self.path).open("a", encoding="utf-8") as file:
                file.write(json.dumps(content) + "\n")
        except OSError as cause:
            raise error("writing metrics", cause.strerror or str(cause), given=self.path) from cause


def keep_before(path: Path, epoch: int) -> None:
    """Drops what a student's training wrote from `epoch` on, so that going on writes no epoch twice."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            # the line a killed process was writing
            continue
        if not isinstance(record, dict):
            continue
        if record.get("stage") != "student" or record.get("epoch", 0) < epoch:
            kept.append(line + "\n")
    write_bytes(path, "".join(kept).encode())
