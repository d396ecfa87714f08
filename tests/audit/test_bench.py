"""One attack on one network: how many images it meets at once, and what is said when they are too many."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import advkd
from advkd import AdvkdError
from advkd.auditing.bench import Bench
from advkd.auditing.ledger import Ledger
from advkd.auditing.search import Searches
from advkd.networks.engine import Engine
from advkd.outcome import Outcome


class AllAtOnce:
    """An evaluator that is given every image at once, and looks at none."""

    kind, knowledge, whole = "fixed-budget", "black-box", True

    def passes(self, classes):
        return 0, 0

    def __call__(self, net, batch, threat, generator):
        self.given = len(batch.x)
        return Outcome(batch.x)


def test_what_a_whole_suite_leaves_is_judged_in_pieces(robust, digits, threat):
    seen, evaluator = [], AllAtOnce()
    ledger = Ledger(len(digits), {})
    bench = Bench(images=digits, threat=threat, ledger=ledger, batch_size=50)
    handle = robust.register_forward_hook(lambda net, args, output: seen.append(len(output)))
    bench.attack("model", robust, "all", evaluator, torch.arange(len(digits)))
    handle.remove()
    assert evaluator.given == len(digits) == sum(seen)
    assert max(seen) == 50


def test_an_attack_that_fills_the_memory_is_told_what_to_do(robust, digits, threat, monkeypatch):
    def full(*args):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(AllAtOnce, "__call__", full)
    bench = Bench(images=digits, threat=threat, ledger=Ledger(len(digits), {}), batch_size=50)
    with pytest.raises(AdvkdError, match="write a smaller batch_size=, which begins a new audit"):
        bench.attack("model", robust, "all", AllAtOnce(), torch.arange(50))
    own = AllAtOnce()
    own.batch_size = 250
    with pytest.raises(AdvkdError, match=r"write a smaller evaluators\.all\.batch_size="):
        bench.attack("model", robust, "all", own, torch.arange(50))


def test_the_twin_that_is_searched_is_the_same_for_every_batch(digits, threat):
    class Counting(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = torch.nn.Sequential(
                torch.nn.Conv2d(1, 64, 3, padding=1),
                torch.nn.Conv2d(64, 64, 3, padding=1),
                torch.nn.Flatten(),
            )
            self.last = torch.nn.Linear(64 * 64, 10)
            self.register_buffer("asked", torch.zeros(()))

        def forward(self, x):
            self.asked += 1
            return self.last(self.net(x))

    class Looking(AllAtOnce):
        whole = False

        def __call__(self, net, batch, threat, generator):
            seen.append({float(buffer) for name, buffer in net.named_buffers() if name.endswith("asked")})
            net(batch.x)
            return Outcome(batch.x)

    seen, net = [], Counting().eval()
    few = digits.batch(torch.arange(8))
    bench = Bench(
        images=digits,
        threat=threat,
        ledger=Ledger(len(digits), {}),
        batch_size=20,
        searched=Searches(Engine(), few),
    )
    assert bench.searched(net) is not net
    bench.attack("model", net, "looking", Looking(), torch.arange(len(digits)))
    assert len(seen) == 3
    assert seen == [seen[0]] * 3
    assert seen[0]


def test_every_batch_of_an_audit_has_noise_of_its_own(robust, digits, threat):
    class Noisy(AllAtOnce):
        whole = False

        def __call__(self, net, batch, threat, generator):
            noise.append(torch.rand(3, generator=generator).tolist())
            return Outcome(batch.x)

    noise = []
    bench = Bench(images=digits, threat=threat, ledger=Ledger(len(digits), {}), batch_size=20)
    bench.attack("model", robust, "noisy", Noisy(), torch.arange(len(digits)))
    assert len({tuple(one) for one in noise}) == 3


def test_the_images_of_an_attack_are_kept_whatever_it_is_called(robust, digits, threat, tmp_path):
    attacks = {"pgd[20]": {"use": "pgd", "steps": 1}, "fgsm?": "fgsm"}
    options = {"evaluators": attacks, "save": "images", "curves": {"images": 0}}
    advkd.audit(robust, digits, threat, out=tmp_path, **options)
    with np.load(tmp_path / "examples.npz") as file:
        assert {f"model.{name}.images" for name in attacks} <= set(file.files)
    assert not any((tmp_path / "partial").glob("*"))
