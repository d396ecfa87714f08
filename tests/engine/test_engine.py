"""Fast is the same as slow: on one stored path, in storage, over a resume."""

from __future__ import annotations

import copy
import dataclasses
from importlib.resources import files

import pytest
import torch
from engine_parts import batch, nets
from parts import small_net
from torch import nn

import advkd
from advkd.config.build import member
from advkd.config.layers import named
from advkd.errors import AdvkdError
from advkd.networks import engine
from advkd.networks.engine import Engine, Fast
from advkd.registry import entries
from advkd.splits import opened_part
from advkd.step import Step
from advkd.streams import streams
from advkd.types import Batch, Threat

PRESETS = list(entries("presets"))
THREAT = Threat(eps=0.1)


def method(preset: str):
    built = member("methods", named("presets", preset)["method"], "method")[0]
    return copy.deepcopy(built)


def step_of(found: dict[str, nn.Module]) -> Step:
    return Step(nets=found, threat=THREAT, streams=streams(0), progress=0.5)


def lowered(built, found: dict[str, nn.Module], paths, student: nn.Module):
    """Loss and gradient of one step along given paths."""
    total = 0.0
    for scalar, _ in built.losses(paths, batch(), step_of(found)):
        scalar.backward()
        total += scalar.item()
    gradient = torch.cat([p.grad.flatten() for p in student.parameters() if p.grad is not None])
    student.zero_grad(set_to_none=True)
    return total, gradient


@pytest.mark.parametrize(("bf16", "loss_gap", "least_cosine"), [(False, 1e-5, 1 - 1e-5), (True, 1e-2, 0.99)])
@pytest.mark.parametrize("preset", PRESETS)
def test_a_step_on_one_path_is_that_of_plain_networks(preset, bf16, loss_gap, least_cosine):
    slow = nets()
    built = method(preset)
    if hasattr(built, "build"):
        built.build(slow)
    paths = built.paths(batch(), step_of(slow))
    expected, wanted = lowered(built, slow, paths, slow["student"])
    same = nets()
    fast = {name: Engine(bf16=bf16)(net) for name, net in same.items()}
    found, gradient = lowered(built, fast, paths, same["student"])
    assert abs(found - expected) <= loss_gap * max(1.0, abs(expected))
    assert torch.cosine_similarity(gradient, wanted, dim=0) >= least_cosine


@pytest.mark.parametrize("preset", [name for name in PRESETS if name not in ("kd", "standard")])
def test_attacks_reach_as_far(preset):
    reached = {}
    for name, bf16 in (("slow", None), ("float32", False), ("bf16", True)):
        found = nets()
        step = step_of(found if bf16 is None else {k: Engine(bf16=bf16)(net) for k, net in found.items()})
        reached[name] = rise(found["student"], method(preset).paths(batch(), step))
    assert reached["slow"] > 0.05
    assert min(reached["float32"], reached["bf16"]) >= 0.99 * reached["slow"]


def test_a_walk_from_its_own_answer_does_not_begin_with_a_rounding():
    run = advkd.resolve("preset=trades")
    data = opened_part(run.data, "test", run.split)
    some = Batch(data.x[:200], data.y[:200])
    first = []
    for bf16 in (False, True):
        student = advkd.load(files("advkd.auditing").joinpath("robust.safetensors"))
        found = {"student": Engine(bf16=bf16)(student)}
        path = method("trades").paths(some, dataclasses.replace(step_of(found), threat=run.threat))[
            "untargeted"
        ]
        first.append(path.x[1] - path.x[0])
        assert not (path.x[1:] == path.x[1]).flatten(2).all(2).all(0).any()
    signs = first[0].sign() == first[1].sign()
    # in bf16 alone half of them
    assert signs.float().mean() > 0.99


def test_the_twin_shares_every_number_and_no_gradient():
    net = small_net(4, seed=1).float().train()
    fast = Engine()(net)
    twin = fast.twin
    assert list(dict(fast.named_parameters())) == [f"net.{name}" for name, _ in net.named_parameters()]
    assert not any(p.requires_grad for p in twin.parameters())
    assert not any(m.training for m in twin.modules())
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    fast(torch.rand(8, 1, 6, 6)).sum().backward()
    optimizer.step()
    net.load_state_dict({key: value + 1 for key, value in net.state_dict().items()})
    fast.check("student")
    x = torch.rand(3, 1, 6, 6)
    fast.eval()
    assert torch.equal(fast(x), net(x))
    net[0].weight.data = net[0].weight.data.clone()
    with pytest.raises(AdvkdError, match=r"^student: replaces parameters or buffers"):
        fast.check("student")


def test_the_twins_of_branches_are_checked_with_the_student():
    fast = Engine()(small_net(4, seed=1).float())
    own = fast.like(small_net(4, seed=2).float())
    fast.check("student")
    own.net[0].weight.data = own.net[0].weight.data.clone()
    with pytest.raises(AdvkdError, match=r"^student: replaces parameters (?s:.*)2 places"):
        fast.check("student")


def test_an_attack_leaves_no_gradient_and_costs_none_for_parameters():
    fast = Engine()(small_net(4, seed=1).float()).eval()
    x = torch.rand(3, 1, 6, 6, requires_grad=True)
    fast(x).sum().backward()
    assert x.grad.abs().sum() > 0
    assert all(p.grad is None for p in fast.parameters())


def test_modes_follow_the_network():
    net = small_net(4, seed=1).float().train()
    fast = Fast(net, Engine())
    before = net[1].running_mean.clone()
    with torch.no_grad():
        fast.eval()(torch.rand(8, 1, 6, 6))
        assert torch.equal(before, net[1].running_mean)
        fast.train()(torch.rand(8, 1, 6, 6))
    assert not torch.equal(before, net[1].running_mean)


def rise(student: nn.Module, paths) -> float:
    """By how much the cross-entropy of a student rises along the first of some paths."""
    path = next(iter(paths.values()))
    with torch.no_grad():
        begin, end = (nn.functional.cross_entropy(student.eval()(path.x[k]), path.y).item() for k in (0, -1))
    return end - begin


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_compiled_agrees_and_is_compiled_once():
    if engine.cannot_compile(torch.device("cpu")):
        pytest.skip("this machine cannot compile")
    torch._dynamo.reset()
    slow, same = nets(), nets()
    built = method("path-dual")
    fast = {name: Engine(compiled=True)(net) for name, net in same.items()}
    paths = built.paths(batch(), step_of(slow))
    expected, wanted = lowered(built, slow, paths, slow["student"])
    walked = built.paths(batch(), step_of(fast))
    found, gradient = lowered(built, fast, paths, same["student"])
    assert abs(found - expected) < 1e-4
    assert torch.cosine_similarity(gradient, wanted, dim=0) > 0.9999
    assert rise(slow["student"], walked) >= 0.99 * rise(slow["student"], paths) > 0.05
    graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    for _ in range(2):
        built.paths(batch(), step_of(fast))
        lowered(built, fast, paths, same["student"])
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == graphs
