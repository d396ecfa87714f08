"""Which student is kept and judged, and what of a run is of its seed and of its epoch."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import torch

import advkd
from advkd.evaluation import evaluate
from advkd.methods.branches import Branches
from advkd.networks import weights
from advkd.splits import split
from advkd.training import checkpoint, loop

ROBUST = {1: 0.2, 2: 0.6, 3: 0.4, 4: 0.6}
CLEAN = {1: 0.5, 2: 0.7, 3: 0.9, 4: 0.6}


def test_the_most_robust_epoch_is_kept_and_judged_beside_the_last(tiny, tmp_path, monkeypatch):
    validated = iter(ROBUST)

    def evaluated(*args, **options):
        epoch = next(validated)
        whole = {"clean": (0.0, 1.0), "robust": (0.0, 1.0)}
        return SimpleNamespace(
            clean=CLEAN[epoch], robust=ROBUST[epoch], n=60, attacks={"pgd": 0.1}, interval=whole
        )

    monkeypatch.setattr(loop, "evaluate", evaluated)
    run = advkd.resolve(*tiny, "preset=pgd-at", "epochs=4")
    result = advkd.train(run, out=tmp_path / "run")
    best, last = (tmp_path / "run" / name for name in (checkpoint.BEST, checkpoint.LAST))
    # of the two most robust epochs the cleaner one
    assert weights.about(best, "best")["validation"] == {"clean": 0.7, "robust": 0.6, "n": 60, "epoch": 2}
    assert weights.about(last, "last")["validation"]["epoch"] == 4
    states = [weights.read(file, "weights")[0] for file in (best, last)]
    assert any(not torch.equal(states[0][name], states[1][name]) for name in states[0])
    images = split(run.data, run.split).test()
    for file, row in ((best, result), (last, result.last)):
        again = evaluate(advkd.load(file), images, run.threat, run.evaluation)
        assert {name: bits.tolist() for name, bits in again.right.items()} == {
            name: bits.tolist() for name, bits in row.right.items()
        }
    content = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (content["robust"], content["last"]["robust"]) == (result.robust, result.last.robust)
    assert torch.equal(advkd.load(tmp_path / "run")(images.x[:4]), advkd.load(best)(images.x[:4]))


@pytest.fixture
def met(tiny, tmp_path, monkeypatch):
    """What the method of a run meets, epoch by epoch, where one batch is a whole epoch."""

    def training(seed, augment):
        found = []
        right = Branches.paths

        def paths(self, batch, step):
            first = step.nets["student"].state_dict()
            found.append(
                SimpleNamespace(
                    init=b"".join(value.numpy().tobytes() for value in first.values()),
                    images=[image.numpy().tobytes() for image in batch.x],
                    noise=torch.rand(3, generator=step.generator("attack")).tolist(),
                )
            )
            return right(self, batch, step)

        with monkeypatch.context() as patched:
            patched.setattr(Branches, "paths", paths)
            words = ("preset=standard", "epochs=2", "batch_size=5000", f"augment={augment}", f"seed={seed}")
            advkd.train(advkd.resolve(*tiny, *words), out=tmp_path / f"{seed}-{len(augment)}")
        return found

    return training


def test_order_and_noise_are_of_the_seed_and_the_epoch(met):
    zero, one = (met(seed, "{crop: 0, flip: false}") for seed in (0, 1))
    assert zero[0].init != one[0].init
    epochs = [*zero, *one]
    assert len({tuple(sorted(epoch.images)) for epoch in epochs}) == 1
    assert len({tuple(epoch.images) for epoch in epochs}) == 4
    assert len({tuple(epoch.noise) for epoch in epochs}) == 4


def test_augmentation_is_of_the_seed_and_the_epoch(met, monkeypatch):
    # in one order, or the same draws would fall on other images
    monkeypatch.setattr(loop.torch, "randperm", lambda n, **_: torch.arange(n))
    epochs = [epoch for seed in (0, 1) for epoch in met(seed, "{crop: 1, flip: true}")]
    assert len({tuple(epoch.images) for epoch in epochs}) == 4
