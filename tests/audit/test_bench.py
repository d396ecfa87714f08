"""One attack on one network: how many images it meets at once, and what is said when they are too many."""

from __future__ import annotations

import pytest
import torch

from advkd import AdvkdError
from advkd.auditing.bench import Bench
from advkd.auditing.ledger import Ledger
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
