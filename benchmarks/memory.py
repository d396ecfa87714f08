"""Peak memory of training steps above the level before them: against K, branches and batch.

    python benchmarks/memory.py [--network resnet20] [--batch 128] [--rounds 3]

Every row runs in a process of its own; its peak (largest resident memory while the steps run) is compared
with its resident memory just before the first step, networks, optimiser and images in place. K is the
number of attack steps, and with it of path points; the engine is uncompiled (a compiler would be measured
with it) and in bf16 where the machine has it.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from pathlib import Path

import torch
from common import SHAPE, trainer, written

STEPS = "method.branches.untargeted.attack.steps={k}"
BOTH = f"{STEPS},method.branches.targeted.attack.steps={{k}}"
ALL = "method.branches.untargeted.terms.path.draw=all"
ROWS = {
    "rslad K=10": ("rslad", STEPS, 10),
    "path-end K=10": ("path-end", BOTH, 10),
    "path-single K=10": ("path-single", STEPS, 10),
    "path-dual K=5": ("path-dual", BOTH, 5),
    "path-dual K=10": ("path-dual", BOTH, 10),
    "path-dual K=20": ("path-dual", BOTH, 20),
    "path-dual K=10, draw all": (
        "path-dual",
        f"{BOTH},{ALL},{ALL.replace('untargeted', 'targeted')}",
        10,
    ),
}


def resident() -> float:
    """Bytes of this process in memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def one(preset: str, words: str, network: str, batch: int, rounds: int) -> float:
    """Bytes a training step of a preset adds at most."""
    x, y = torch.rand(batch, *SHAPE), torch.randint(10, (batch,))
    step = trainer(preset, network, x, y, "compile=never", *words.split(","))
    # libraries load their kernels at the first use, whatever the method
    trainer("standard", network, x[:2], y[:2], "compile=never")()
    # linux: start the count of the peak anew
    Path("/proc/self/clear_refs").write_text("5")
    before = resident()
    for _ in range(rounds):
        step()
    lines = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    return peak - before


def main() -> None:
    """Prints a row per preset and K, then per batch."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--network", default="resnet20")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", help="measures one row and prints bytes; how the rows run")
    options = parser.parse_args()
    if options.one:
        preset, words, k = ROWS[options.one]
        print(one(preset, words.format(k=k), options.network, options.batch, options.rounds))
        return
    rows: list[dict[str, object]] = []
    cases = [(name, options.batch) for name in ROWS]
    cases += [(name, options.batch * 2) for name in ("rslad K=10", "path-dual K=10")]
    for name, batch in cases:
        command = [sys.executable, __file__, "--one", name, "--network", options.network]
        more = ["--batch", str(batch), "--rounds", str(options.rounds)]
        found = subprocess.run([*command, *more], check=True, capture_output=True, text=True)
        peak = float(found.stdout.splitlines()[-1])
        rows.append({"row": name, "batch": batch, "peak_mb": peak / 2**20})
        base = next(r for r in rows if r["row"] == "rslad K=10" and r["batch"] == batch)
        rows[-1]["to_rslad"] = peak / 2**20 / float(str(base["peak_mb"]))
        print(json.dumps(rows[-1]), flush=True)
    written("memory", {"network": options.network, "rows": rows})


if __name__ == "__main__":
    main()
