"""Which engine a run takes, and that it keeps it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import pytest
import torch
from engine_parts import batch, nets
from parts import small_net

import advkd
from advkd.config.build import member
from advkd.errors import AdvkdError
from advkd.networks import compiling, engine
from advkd.networks.engine import Engine, decided


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
    with pytest.raises(AdvkdError, match=r"compile: impossible here: there is no C\+\+ compiler"):
        decided(net, (1, 6, 6), 10, "always", "float32")
    monkeypatch.setattr(engine, "REPAYS", 0)
    with caplog.at_level(logging.INFO, logger="advkd"):
        assert not decided(net, (1, 6, 6), 10, "auto", "float32").compiled
    assert "not compiled: there is no C++ compiler" in caplog.text


def test_a_compiler_that_fails_is_as_good_as_none(monkeypatch):
    def broken(function):
        raise RuntimeError("omp.h: no such file\n  in line 3")

    compiling._failing.cache_clear()
    monkeypatch.setattr(compiling, "_missing", lambda device: "")
    monkeypatch.setattr(torch, "compile", broken)
    assert engine.cannot_compile(torch.device("cpu")) == "RuntimeError: omp.h: no such file"
    compiling._failing.cache_clear()


def test_a_compiled_training_goes_on_compiled_or_not_at_all(monkeypatch):
    about = Engine(bf16=True, compiled=True).about
    monkeypatch.setattr(engine, "cannot_compile", lambda device: "")
    assert engine.restored(about, torch.device("cpu")) == Engine(bf16=True, compiled=True)
    monkeypatch.setattr(engine, "cannot_compile", lambda device: "there is no C++ compiler")
    with pytest.raises(AdvkdError, match=r"resume: the run needs compiling, .* no C\+\+ compiler"):
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


@pytest.mark.filterwarnings("ignore")
def test_a_gradient_of_a_gradient_needs_a_training_that_is_not_compiled(tiny, tmp_path, monkeypatch):
    @dataclass(frozen=True, kw_only=True)
    class Smooth:
        nets: ClassVar[tuple[str, ...]] = ()

        def paths(self, batch, step):
            return {}

        def losses(self, paths, batch, step):
            x = batch.x.clone().requires_grad_()
            loss = torch.nn.functional.cross_entropy(step.nets["student"](x), batch.y)
            (gradient,) = torch.autograd.grad(loss, x, create_graph=True)
            yield loss + gradient.square().sum(), {"a": loss.detach()}

    advkd.register("method", "smooth")(Smooth)
    (tmp_path / "mine.yaml").write_text("method: {use: smooth}\n")
    words = (*tiny, f"preset={tmp_path / 'mine.yaml'}", "epochs=1")
    advkd.train(advkd.resolve(*words, "compile=never"), out=tmp_path / "plain")
    # what torch takes no gradient of is the graph, whatever makes kernels of it
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    monkeypatch.setattr(engine, "cannot_compile", lambda device: "")
    with pytest.raises(
        AdvkdError, match=r"^compile: .*no gradient of its gradient(?s:.*)write compile=never"
    ):
        advkd.train(advkd.resolve(*words, "compile=always"), out=tmp_path / "compiled")
