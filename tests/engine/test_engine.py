"""Fast is the same as slow: on one stored path, in storage, over a resume."""

from __future__ import annotations

import copy
import dataclasses
import logging
from importlib.resources import files

import pytest
import torch
from parts import small_net
from torch import nn

import advkd
from advkd.config.build import member
from advkd.config.layers import named
from advkd.errors import AdvkdError
from advkd.networks import engine
from advkd.networks.engine import Engine, Fast, decided
from advkd.registry import entries
from advkd.splits import opened_part
from advkd.step import Step
from advkd.streams import streams
from advkd.types import Batch, Threat

PRESETS = list(entries("presets"))
THREAT = Threat(eps=0.1)


def nets() -> dict[str, nn.Module]:
    made = {"student": small_net(4, seed=1).float().train(), "teacher": small_net(8, seed=2).float().eval()}
    made["teacher"].requires_grad_(False)
    return made


def batch() -> Batch:
    x = torch.rand(24, 1, 6, 6, generator=torch.Generator().manual_seed(3))
    return Batch(x, torch.arange(24) % 5)


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
        path = next(iter(method(preset).paths(batch(), step).values()))
        with torch.no_grad():
            loss = nn.functional.cross_entropy(found["student"].eval()(path.x[-1]), path.y)
            begin = nn.functional.cross_entropy(found["student"](path.x[0]), path.y)
        reached[name] = (loss - begin).item()
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
    fast.check()
    x = torch.rand(3, 1, 6, 6)
    fast.eval()
    assert torch.equal(fast(x), net(x))
    net[0].weight.data = net[0].weight.data.clone()
    with pytest.raises(RuntimeError, match="parted from its network"):
        fast.check()


def test_the_twins_of_branches_are_checked_with_the_student():
    fast = Engine()(small_net(4, seed=1).float())
    own = fast.like(small_net(4, seed=2).float())
    fast.check()
    own.net[0].weight.data = own.net[0].weight.data.clone()
    with pytest.raises(RuntimeError, match="parted from its network in 2 tensors"):
        fast.check()


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


def test_auto_is_exact_where_speed_does_not_matter(monkeypatch):
    monkeypatch.setattr(engine, "fast_bf16", lambda device: True)
    small = member("models", {"use": "tiny-cnn", "width": 9}, "student")[0](10, (1, 8, 8))
    assert decided(small, (1, 8, 8), 30_000, "auto", "auto") == Engine(bf16=False, compiled=False)
    large = member("models", {"use": "resnet20"}, "student")[0](10, (3, 32, 32))
    monkeypatch.setattr(engine, "cannot_compile", lambda device: "")
    assert decided(large, (3, 32, 32), 1_000, "auto", "auto") == Engine(bf16=True, compiled=False)
    assert decided(large, (3, 32, 32), 10_000_000, "auto", "auto") == Engine(bf16=True, compiled=True)
    assert decided(large, (3, 32, 32), 10_000_000, "never", "float32") == Engine()


def test_a_machine_without_a_compiler(monkeypatch, caplog):
    monkeypatch.setattr(engine, "cannot_compile", lambda device: "there is no C++ compiler")
    net = small_net(4).float()
    with pytest.raises(AdvkdError, match=r"compile: this machine cannot: there is no C\+\+ compiler"):
        decided(net, (1, 6, 6), 10, "always", "float32")
    monkeypatch.setattr(engine, "REPAYS", 0)
    with caplog.at_level(logging.INFO, logger="advkd"):
        assert not decided(net, (1, 6, 6), 10, "auto", "float32").compiled
    assert "not compiled: there is no C++ compiler" in caplog.text


def test_a_compiled_training_goes_on_compiled_or_not_at_all(monkeypatch):
    about = Engine(bf16=True, compiled=True).about
    monkeypatch.setattr(engine, "cannot_compile", lambda device: "")
    assert engine.restored(about, torch.device("cpu")) == Engine(bf16=True, compiled=True)
    monkeypatch.setattr(engine, "cannot_compile", lambda device: "there is no C++ compiler")
    with pytest.raises(AdvkdError, match=r"resume: the run was compiled, .* no C\+\+ compiler"):
        engine.restored(about, torch.device("cpu"))
    assert engine.restored(Engine(bf16=True).about, torch.device("cpu")) == Engine(bf16=True)


@pytest.mark.parametrize("words", [(), ("precision=bf16",)])
def test_a_resumed_run_keeps_its_engine(words, tiny, tmp_path, monkeypatch):
    run = advkd.resolve("preset=rslad", *tiny, *words)
    whole = advkd.train(run, out=tmp_path / "whole")
    from advkd.training import loop

    saved = loop.Training._save

    def once(self):
        saved(self)
        if self.setup.stage == "student" and self.epoch == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop.Training, "_save", once)
    with pytest.raises(KeyboardInterrupt):
        advkd.train(run, out=tmp_path / "parts")
    monkeypatch.setattr(loop.Training, "_save", saved)
    monkeypatch.setattr(engine, "SMALL", 0)
    rest = advkd.api.resume(tmp_path / "parts")
    for a, b in zip(whole.net.parameters(), rest.net.parameters(), strict=True):
        assert torch.equal(a, b)


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
    built.paths(batch(), step_of(fast))
    found, gradient = lowered(built, fast, paths, same["student"])
    assert abs(found - expected) < 1e-4
    assert torch.cosine_similarity(gradient, wanted, dim=0) > 0.9999
    graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    for _ in range(2):
        built.paths(batch(), step_of(fast))
        lowered(built, fast, paths, same["student"])
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == graphs


@pytest.mark.parametrize(("words", "passes"), [((), 1), (("augment.flip=true",), 3)])
def test_the_clean_teacher_is_asked_once_where_nothing_is_augmented(words, passes, tiny, tmp_path):
    result = advkd.train(advkd.resolve("preset=rslad", *tiny, *words), out=tmp_path / "run")
    images = 259
    assert result.cost["teacher_forwards"] == (images if passes == 1 else passes * (images // 32) * 32)


def test_what_is_remembered_is_what_the_network_says():
    from advkd.data.images import Images
    from advkd.training.logit_cache import Remembered

    teacher, rows = nets()["teacher"], torch.tensor([20, 3, 7])
    images = Images(batch().x, batch().y)
    remembered = Remembered({"teacher": teacher}, images, batch_size=5)
    assert torch.allclose(remembered("teacher", rows), teacher(images.x[rows]), atol=1e-6)
    assert remembered("student", rows) is None


@pytest.mark.filterwarnings("ignore")
def test_many_networks_of_one_process_are_all_compiled(monkeypatch):
    compile = torch.compile
    monkeypatch.setattr(torch, "compile", lambda f, **how: compile(f, backend="eager", **how))
    torch._dynamo.reset()
    stats = torch._dynamo.utils.counters["stats"]
    for seed in range(12):
        before = stats["unique_graphs"]
        fast = Engine(compiled=True)(small_net(4, seed=seed).float().eval())
        fast(torch.rand(2, 1, 6, 6))
        assert stats["unique_graphs"] == before + 1
