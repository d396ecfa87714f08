"""Trains into a folder and kills itself with -9 in the middle of an epoch."""

import os
import signal
import sys

import torch

import advkd
from advkd.types import Record


def main(folder: str, *words: str) -> None:
    torch.set_num_threads(1)

    def die(record: Record) -> None:
        if record.stage == "student" and (record.epoch, record.step) == (1, 4):
            os.kill(os.getpid(), signal.SIGKILL)

    advkd.train(advkd.resolve(*words), out=folder, reporters=[die])


if __name__ == "__main__":
    main(*sys.argv[1:])
