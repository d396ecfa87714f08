"""Attacks of adv-lib as evaluators and in training."""

from __future__ import annotations

import sys

import pytest
import torch
from advkd_plugins.advlib import library
from advkd_plugins.advlib.attack import AdvLibAttack
from advkd_plugins.advlib.evaluator import AdvLib
from parts import small_net, undecided
from torch import nn

import advkd
from advkd import AdvkdError
from advkd.attacks.pgd import PGD
from advkd.config.build import member
from advkd.evaluation import check_in_threat
from advkd.types import Batch, Threat

pytestmark = pytest.mark.usefixtures("adv_lib")

BRIEF = {
    "alma": {"num_steps": 50},
    "carlini_wagner_l2": {"max_iterations": 50, "binary_search_steps": 3, "learning_rate": 0.05},
    "carlini_wagner_linf": {"max_iterations": 20},
    "pdgd": {"num_steps": 100},
    "pdpgd": {"num_steps": 100},
    "sdf": {"steps": 5},
    "apgd": {"n_iter": 20},
    "apgd_targeted": {"n_iter": 20},
}
BUDGET = {"linf": 0.1, "l2": 0.6}


@pytest.fixture
def net():
    return small_net(6, seed=4).float().eval()


@pytest.fixture
def batch(net):
    x = torch.rand(12, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    x = (x * 2 - 0.5).clamp(0, 1)
    undecided(net, x)
    with torch.no_grad():
        return Batch(x, net(x).argmax(1))


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("name", list(library.ATTACKS))
def test_it_breaks_images_inside_the_threat_and_notes_another_norm(name, norm, net, batch):
    threat = Threat(norm=norm, eps=BUDGET[norm])
    evaluator, trait = AdvLib(name=name, options=BRIEF.get(name, {})), library.ATTACKS[name]
    if norm not in trait.norms and trait.kind == "fixed-budget":
        with pytest.raises(AdvkdError, match="attacks within linf only"):
            evaluator(net, batch, threat, seeded())
        return
    outcome = evaluator(net, batch, threat, seeded())
    check_in_threat(outcome.x, batch.x, threat, name)
    broken = (net(outcome.x).argmax(1) != batch.y).double().mean()
    # fmn in l2 converges to this boundary and never crosses it
    assert broken > 0.2 or (name, norm) == ("fmn", "l2")
    assert bool(outcome.notes) == (norm not in trait.norms)
    assert torch.equal(outcome.x, evaluator(net, batch, threat, seeded()).x)


def test_what_lies_beyond_eps_does_not_count(net, batch):
    """The minimal distances of DDN decide which images a budget breaks."""
    evaluator = AdvLib(name="ddn", options={"steps": 200, "levels": None})
    far = evaluator(net, batch, Threat(norm="l2", eps=6), seeded())
    distance = Threat(norm="l2", eps=6).distance(far.x, batch.x)
    assert (net(far.x).argmax(1) != batch.y).all()
    eps = distance.median().item() * 1.001
    near = evaluator(net, batch, Threat(norm="l2", eps=eps), seeded())
    stands = net(near.x).argmax(1) == batch.y
    assert torch.equal(stands, distance > eps)
    assert 0 < stands.sum() < len(stands)


def test_a_minimal_distance_on_a_linear_net_is_the_closed_form():
    torch.manual_seed(1)
    net = nn.Sequential(nn.Flatten(), nn.Linear(16, 2)).eval()
    x = 0.5 + 0.02 * torch.randn(6, 1, 4, 4)
    with torch.no_grad():
        logits = net(x)
        y = logits.argmax(1)
        slope = (net[1].weight[0] - net[1].weight[1]).norm()
        closed = (logits[:, 0] - logits[:, 1]).abs() / slope
    options = {"steps": 1000, "levels": None}
    threat = Threat(norm="l2", eps=4)
    x_near = AdvLib(name="ddn", options=options)(net, Batch(x, y), threat, seeded()).x
    found = threat.distance(x_near, x)
    assert (found >= closed * (1 - 1e-4)).all()
    assert (found <= closed * 1.1).all()


def test_too_few_classes_for_its_loss(batch):
    net = small_net(classes=2).float().eval()
    y = net(batch.x).argmax(1)
    with pytest.raises(AdvkdError, match="compares 3 logits, the network has 2"):
        AdvLib(name="apgd")(net, Batch(batch.x, y), Threat(eps=0.1), seeded())
    evaluator, threat = AdvLib(name="apgd", options={"loss_function": "ce", "n_iter": 5}), Threat(eps=0.1)
    check_in_threat(evaluator(net, Batch(batch.x, y), threat, seeded()).x, batch.x, threat, "apgd")


def test_other_boxes_and_a_missing_package(net, batch, monkeypatch):
    with pytest.raises(AdvkdError, match=r"pixels in \[0,1\] only"):
        AdvLib(name="ddn")(net, batch, Threat(eps=0.1, box=(-1, 1)), seeded())
    for name in [name for name in sys.modules if name.split(".")[0] == "adv_lib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "adv_lib", None)
    with pytest.raises(AdvkdError, match="pip install --no-deps adv-lib"):
        AdvLib(name="ddn")(net, batch, Threat(eps=0.1), seeded())


def test_no_stand_in_of_visdom_stays_behind():
    library.attack("ddn", ())
    module = sys.modules.get("visdom")
    assert module is None or module.__spec__ is not None


def objective_of(net, y):
    return lambda x: nn.functional.cross_entropy(net(x), y, reduction="none")


def walk(attack, objective, batch, threat, seed: int = 0) -> list[torch.Tensor]:
    return list(attack(objective, batch.x, threat, torch.Generator().manual_seed(seed)))


@pytest.mark.parametrize("sign", [1, -1])
def test_pgd_on_an_objective_is_our_own_step_by_step(sign, net, batch):
    net, batch = net.double(), Batch(batch.x.double(), batch.y)
    objective = objective_of(net, batch.y)
    options = {"random_init": False, "absolute_step_size": 0.03}
    theirs = AdvLibAttack(name="pgd_linf", steps=6, options=options)
    ours = PGD(steps=6, step_size=0.03, init="none")
    pair = [walk(a, lambda x: sign * objective(x), batch, Threat(eps=0.1)) for a in (theirs, ours)]
    assert len(pair[0]) == 7
    for a, b in zip(*pair, strict=True):
        assert torch.allclose(a, b, rtol=0, atol=1e-12)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("shift", [0.0, -200.0, 200.0])
def test_apgd_raises_any_objective_wherever_its_zero_lies(shift, norm, net, batch):
    objective = objective_of(net, batch.y)
    threat, attack = Threat(norm=norm, eps=BUDGET[norm]), AdvLibAttack(name="apgd", steps=15)
    points = walk(attack, lambda x: objective(x) + shift, batch, threat)
    best = torch.stack([objective(x).detach() for x in points]).amax(0)
    ours = walk(PGD(steps=15), objective, batch, threat)
    reached = torch.stack([objective(x).detach() for x in ours]).amax(0)
    assert best.mean() > 0.95 * reached.mean() > objective(batch.x).mean()


def test_the_same_seed_walks_the_same_path_and_nothing_global_moves(net, batch):
    attack, objective = AdvLibAttack(name="apgd", steps=4), objective_of(net, batch.y)
    before = torch.get_rng_state()
    first, again, other = (walk(attack, objective, batch, Threat(eps=0.1), seed) for seed in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[1], other[1])
    assert all(p.grad is None for p in net.parameters())


def test_options_that_would_make_another_path():
    with pytest.raises(AdvkdError, match="n_restarts of apgd cannot be set"):
        AdvLibAttack(name="apgd", options={"n_restarts": 2})
    with pytest.raises(AdvkdError, match="at least one step"):
        AdvLibAttack(name="apgd", steps=0)
    with pytest.raises(AdvkdError):
        member("attacks", "advlib:ddn", "attack")
    l2 = Threat(norm="l2", eps=1)
    with pytest.raises(AdvkdError, match="attacks within linf only"):
        list(AdvLibAttack(name="pgd_linf")(torch.sum, torch.rand(1, 1, 2, 2), l2, seeded()))


def test_a_version_that_asks_otherwise_is_refused(net, batch, monkeypatch):
    def lazy(model, inputs, labels, **options):
        model(inputs)
        return inputs

    library.attack("apgd", ())
    monkeypatch.setattr("advkd_plugins.advlib.attack.attack", lambda *args: lazy)
    with pytest.raises(AdvkdError, match="asked about 1 points in 4 steps, not 5"):
        walk(AdvLibAttack(name="apgd", steps=4), objective_of(net, batch.y), batch, Threat(eps=0.1))


def test_a_run_trains_and_is_judged_with_it(tiny, tmp_path):
    words = ("method.branches.untargeted.attack=advlib:apgd", "method.branches.untargeted.attack.steps=3")
    more = ("+evaluation.ddn={use: advlib, name: ddn, options: {steps: 10}}", "epochs=1")
    result = advkd.train(advkd.resolve("preset=pgd-at", *tiny, *words, *more), out=tmp_path / "run")
    assert "ddn" in result.attacks
    assert result.robust <= result.attacks["ddn"] <= result.clean
