"""Wall time and verdict of `autoattack-fast` and `standard` against calling `pyautoattack` directly.

    python benchmarks/suite.py RUN_FOLDER [--net FILE] [--n 500]

The student of a run, or the network of a weight file, on the first stratified N of the run's test images.
Four rows, in turn: the official suite alone with seed 0 (eager, float32), `autoattack-fast` and `standard`
(compiled, bf16 where the machine has it), the official suite with seed 1. A disagreement is an image whose
fate differs from that under the official suite with seed 0. Rows that the JSON already has for this network
are kept, so a stopped benchmark goes on.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from common import written
from torch import Tensor, nn

import advkd
from advkd.data.images import Images
from advkd.data.split import limited
from advkd.fingerprints import fingerprint
from advkd.networks.modes import logits_of
from advkd.splits import opened_part
from advkd.training.folder import written as run_of
from advkd.types import Threat

RESULT = Path(__file__).parent / "results" / "suite.json"


def official(net: nn.Module, images: Images, threat: Threat, seed: int) -> Tensor:
    """(n,) bool: which images survive the official suite."""
    import pyautoattack

    suite = pyautoattack.AutoAttack(net, norm="Linf", eps=threat.eps, seed=seed, device=torch.device("cpu"))
    batch = images.batch(torch.arange(len(images)))
    x, _ = suite.run_standard_evaluation(batch.x, batch.y, batch_size=250)
    return logits_of(net, x).argmax(1) == batch.y


def audited(net: nn.Module, images: Images, threat: Threat, **options: Any) -> Tensor:
    """(n,) bool: which images survive a suite of the toolkit, searched fast."""
    verdict = advkd.audit(net, images, threat, compile="always", curves={"images": 0}, **options)
    return verdict.main.survivors


def main() -> None:
    """Prints one row per suite."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--net", type=Path)
    parser.add_argument("--n", type=int, default=500)
    options = parser.parse_args()
    run, _ = run_of(options.folder, "run")
    whole = opened_part(run.data, "test", run.split)
    images = whole.subset(limited(whole.y, options.n, 0))
    net = advkd.load(options.net or options.folder).eval()
    rows: dict[str, Callable[[], Tensor]] = {
        "pyautoattack, seed 0": lambda: official(net, images, run.threat, 0),
        "autoattack-fast": lambda: audited(
            net, images, run.threat, evaluators={"autoattack-fast": "autoattack-fast"}
        ),
        "standard": lambda: audited(net, images, run.threat),
        "pyautoattack, seed 1": lambda: official(net, images, run.threat, 1),
    }
    about = {"network": fingerprint(net), "n": len(images), "threat": str(run.threat)}
    before = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    known = before.get("rows", {}) if all(before.get(key) == value for key, value in about.items()) else {}
    for name, measure in rows.items():
        if name not in known:
            begin = time.perf_counter()
            survivors = measure()
            seconds = time.perf_counter() - begin
            known[name] = {"seconds": seconds, "survivors": survivors.int().tolist()}
        first, row = known["pyautoattack, seed 0"], known[name]
        pairs = list(zip(first["survivors"], row["survivors"], strict=True))
        row |= {
            "robust": sum(row["survivors"]) / len(images),
            "times_faster": first["seconds"] / row["seconds"],
            "fell_here_only": pairs.count((1, 0)),
            "stood_here_only": pairs.count((0, 1)),
        }
        print(name, {key: value for key, value in row.items() if key != "survivors"}, flush=True)
        written("suite", {**about, "rows": known})


if __name__ == "__main__":
    main()
