"""Attacks of adversarial-robustness-toolbox as evaluators."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from parts import undecided
from torch.utils.data import TensorDataset

import advkd
from advkd.config.build import member
from advkd.evaluators.art import Art
from advkd.types import Batch, Threat


@pytest.fixture
def data(net):
    x = torch.rand(24, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    # pixels at the edge of the box, where an attack without clip_values walks out
    x = (x * 2 - 0.5).clamp(0, 1)
    undecided(net, x)
    with torch.no_grad():
        return TensorDataset(x, net(x).argmax(1))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("ProjectedGradientDescent", {"max_iter": 5}),
        ("FastGradientMethod", {}),
        ("DeepFool", {"max_iter": 5}),
        ("SquareAttack", {"max_iter": 20}),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_an_attack_runs_and_stays_in_the_threat(name, options, net, data):
    flags = [m.training for m in net.train().modules()]
    random = torch.get_rng_state(), np.random.get_state()[1].copy()
    result = advkd.evaluate(net, data, Threat(eps=0.08), {"art": Art(name=name, options=options)})
    assert result.attacks["art"] < result.clean == 1
    assert [m.training for m in net.modules()] == flags
    assert torch.equal(random[0], torch.get_rng_state())
    assert (random[1] == np.random.get_state()[1]).all()


@pytest.mark.filterwarnings("ignore")
def test_it_agrees_with_our_own_single_step(net, data):
    fgsm = member("evaluators", "fgsm", "evaluation")[0]
    threat = Threat(eps=0.08)
    result = advkd.evaluate(net, data, threat, {"ours": fgsm, "art": Art(name="FastGradientMethod")})
    assert abs(result.attacks["ours"] - result.attacks["art"]) <= 0.05


def test_the_name_after_the_colon_is_the_attack():
    built, dump = member("evaluators", "art:DeepFool", "evaluation.deepfool")
    assert built == Art(name="DeepFool")
    assert dump == {"use": "art", "name": "DeepFool", "options": {}}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "options", "says"),
    [("DeepFoool", {}, "nearest  DeepFool"), ("DeepFool", {"max_itre": 3}, "max_itre")],
)
def test_what_does_not_exist_is_named(name, options, says, net, data):
    with pytest.raises(advkd.AdvkdError, match=says):
        advkd.evaluate(net, data, Threat(eps=0.1), {"art": Art(name=name, options=options)})


@pytest.mark.filterwarnings("ignore")
def test_an_attack_that_computes_in_float64_is_answered(net, data):
    asked = []
    net.register_forward_pre_hook(lambda module, args: asked.append(args[0].dtype))
    batch = Batch(*(of[:2] for of in data.tensors))
    attack = Art(name="HopSkipJump", options={"max_iter": 1, "max_eval": 20, "init_eval": 5, "init_size": 5})
    outcome = attack(net, batch, Threat(eps=0.08), torch.Generator().manual_seed(0))
    assert len(asked) > 10
    assert set(asked) == {torch.float32} == {outcome.x.dtype}
    assert (outcome.x != batch.x).flatten(1).any(1).all()


@pytest.mark.parametrize("name", ["AutoAttack", "UniversalPerturbation", "ProjectedGradientDescent"])
def test_attacks_that_use_gradients_are_white_box(name):
    assert Art(name=name).knowledge == "white-box"
    assert Art(name=name).mixed == (name == "AutoAttack")
