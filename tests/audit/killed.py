"""Audits the shipped digits network by the suite `full` and kills itself on the way, as told."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch

import advkd
from advkd import files
from advkd.auditing.selftest import THREAT, shipped
from advkd.data.digits import Digits
from advkd.networks import weights

OPTIONS = {
    "suite": "full",
    "limit": 10,
    "batch_size": 4,
    "save": "images",
    "curves": {"images": 20, "steps": [10, 20], "eps": [1.0]},
    "evaluators": {
        "noise": "noise",
        "pgd": {"use": "pgd", "steps": 10, "restarts": 2},
        "apgd-t": {"use": "apgd-t", "steps": 20},
        "square": {"use": "square", "queries": 200},
        "autoattack": {"use": "autoattack", "batch_size": 3},
    },
}


def audit(out: str | Path):
    """The verdict, with everything it leaves in `out`."""
    torch.set_num_threads(1)
    return advkd.audit(shipped("robust").net, Digits().open("test"), THREAT, out=out, **OPTIONS)


if __name__ == "__main__":
    folder, pattern, count = sys.argv[1:]
    plain, left = files.write_bytes, int(count)

    def write_bytes(path: Path, data: bytes) -> None:
        """Writes, and dies after the file that was named has been written so many times."""
        global left
        plain(path, data)
        left -= pattern in path.name
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    files.write_bytes = weights.write_bytes = write_bytes
    audit(folder)
