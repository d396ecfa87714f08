"""From the imports of a run to its first training step."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
import time

import sklearn.datasets
import torch._dynamo  # every optimiser of torch imports it

import advkd
from advkd.training.loop import Training

run = advkd.resolve("preset=pgd-at", "setting=digits", "compile=never")


def step(self, *args):
    print(time.process_time() - begin)
    sys.exit()


Training.step = step
begin = time.process_time()
advkd.train(run, out=sys.argv[1])
"""


def test_the_first_step_comes_at_once(tmp_path):
    # the processor's time: other tests share the machine
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "run")], capture_output=True, text=True, check=True
    )
    assert float(done.stdout.splitlines()[-1]) < 3
