"""Compares, and kills itself with -9 as soon as its second cell has ended."""

import os
import signal
import sys

import torch

import advkd


def main(folder: str, *words: str) -> None:
    torch.set_num_threads(1)

    ended = []

    def die(index: int, *of: object) -> None:
        ended.append(index)
        if len(ended) == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    advkd.compare(*words, out=folder, told=die)


if __name__ == "__main__":
    main(*sys.argv[1:])
