"""Runs and audits refuse what members, boxes and methods of another form give."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import pytest
import torch
from torch.nn import functional as F
from torch.utils.data import TensorDataset

import advkd
from advkd.outcome import Outcome

METHODS = {
    "nothing": (lambda scalar, parts: None, "a method yields its scalars\n  given    NoneType"),
    "bare": (lambda scalar, parts: [scalar], "pairs of a scalar and its parts"),
    "vector": (lambda scalar, parts: [(scalar[None], parts)], "yields scalars to backpropagate"),
    "detached": (lambda scalar, parts: [(scalar.detach(), parts)], "must have a gradient"),
    "numbers": (lambda scalar, parts: [(scalar, {"a": 1.0})], "tensors by name\n  given    {'a': 'float'}"),
    "no parts": (lambda scalar, parts: [(scalar, None)], "tensors by name\n  given    NoneType"),
}


@pytest.mark.parametrize("how", METHODS)
def test_losses_of_another_form_are_refused(tiny, tmp_path, how):
    change, says = METHODS[how]

    @dataclass(frozen=True, kw_only=True)
    class Spoilt:
        nets: ClassVar[tuple[str, ...]] = ()

        def paths(self, batch, step):
            return {}

        def losses(self, paths, batch, step):
            scalar = F.cross_entropy(step.nets["student"](batch.x), batch.y)
            return change(scalar, {"a": scalar.detach()})

    advkd.register("method", "spoilt")(Spoilt)
    (tmp_path / "mine.yaml").write_text("method: {use: spoilt}\n")
    run = advkd.resolve(*tiny, f"preset={tmp_path / 'mine.yaml'}")
    with pytest.raises(advkd.AdvkdError, match=says):
        advkd.train(run, out=tmp_path / "run")


OUTCOMES = {
    "tensor": (lambda batch: batch.x, "gives an Outcome of the attacked images\n  given    Tensor"),
    "numpy": (lambda batch: Outcome(batch.x.numpy()), "given    Outcome of ndarray"),
    "fewer": (lambda batch: Outcome(batch.x[:1]), "has an image for each of the batch"),
    "another": (lambda batch: Outcome(batch.x.copy_(batch.x.roll(1, 0))), "the attack left the threat"),
}


@pytest.mark.parametrize("audited", [False, True])
@pytest.mark.parametrize("how", OUTCOMES)
def test_an_outcome_of_another_form_is_refused(how, audited, threat, tmp_path):
    change, says = OUTCOMES[how]

    @dataclass(frozen=True, kw_only=True)
    class Spoilt:
        kind: ClassVar[str] = "fixed-budget"
        knowledge: ClassVar[str] = "black-box"

        def passes(self, classes):
            return 0, 0

        def __call__(self, net, batch, threat, generator):
            return change(batch)

    advkd.register("evaluator", "spoilt")(Spoilt)
    x = torch.rand(4, 1, 4, 4, generator=torch.Generator().manual_seed(1))
    net, before = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 4)), x.clone()
    judge = partial(advkd.audit, evaluators={"spoilt": "spoilt"}, out=tmp_path)
    if not audited:
        judge = partial(advkd.evaluate, attacks={"mine": Spoilt()})
    with pytest.raises(advkd.AdvkdError, match=says):
        judge(net, TensorDataset(x, net(x).argmax(1)), threat)
    assert torch.equal(x, before)


def test_a_run_refuses_a_box_that_leaves_out_pixels(tiny, tmp_path):
    run = advkd.resolve(*tiny, "preset=pgd-at", "threat.box=[0.2,0.8]")
    with pytest.raises(advkd.AdvkdError, match=r"threat\.box: leaves out pixels of the images"):
        advkd.train(run, out=tmp_path / "run")


def test_a_run_that_trains_nothing_is_an_error(tiny, tmp_path):
    @dataclass(frozen=True, kw_only=True)
    class Nothing:
        def __call__(self, walk, batch, step):
            return None

    advkd.register("path", "nothing")(Nothing)
    run = advkd.resolve(*tiny, "preset=pgd-at", "method.branches.untargeted.path=nothing")
    with pytest.raises(advkd.AdvkdError, match="epoch 1: every branch was skipped at every step"):
        advkd.train(run, out=tmp_path / "run")
