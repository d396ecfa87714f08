"""What is asked of GPUs, as far as it can be seen without one."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace

import pytest
import torch
from torch.optim import swa_utils

import advkd
from advkd import AdvkdError, streams
from advkd.admission import free_memory
from advkd.modifiers.average import SWA
from advkd.networks import compiling, engine
from advkd.networks.cost import peak_memory_mb
from advkd.networks.device import chosen
from advkd.networks.modes import device_of
from advkd.training import checkpoint
from advkd.training.one_step import _ahead
from advkd.types import Threat


def noting(asked):
    """`fork_rng` that writes down which devices it was given."""

    def fork_rng(devices):
        asked.append(list(devices))
        return contextlib.nullcontext()

    return fork_rng


def test_a_process_without_cuda_does_not_begin_with_it(monkeypatch):
    asked = []
    monkeypatch.setattr(torch.random, "fork_rng", noting(asked))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    with streams.forked():
        pass
    assert asked == [[]]


def test_generators_of_the_gpus_in_use_alone_are_put_back(monkeypatch):
    asked = []
    monkeypatch.setattr(torch.random, "fork_rng", noting(asked))
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda index: 100 * (index in (1, 3)))
    generators = [torch.Generator().manual_seed(1) for _ in range(4)]
    monkeypatch.setattr(torch.cuda, "default_generators", generators)
    with streams.forked(7):
        assert [one.initial_seed() for one in generators] == [1, 7, 1, 7]
    assert asked == [[1, 3]]


def test_a_gpu_that_begins_later_keeps_the_seed_of_its_user(monkeypatch):
    seeds: list[int] = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeds.append)
    with streams.global_seed("step", 1):
        assert torch.initial_seed() == streams.derive("step", 1)
    assert seeds == []


def test_peak_memory_is_that_of_the_device_in_use(monkeypatch):
    held = {0: 0, 1: 2**40}
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: held[device.index])
    assert peak_memory_mb(torch.device("cuda:1")) > 2**20 > peak_memory_mb(torch.device("cuda:0"))
    assert peak_memory_mb(torch.device("cpu")) < 2**20


def test_memory_that_the_allocator_keeps_is_free(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (100, 1000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 700)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 200)
    assert free_memory(torch.device("cuda")) == 600


def test_the_generator_of_mps_is_put_back(monkeypatch):
    state = [7]
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.mps, "get_rng_state", lambda: state[0])
    monkeypatch.setattr(torch.mps, "set_rng_state", lambda value: state.__setitem__(0, value))
    with streams.forked():
        state[0] = 9
    assert state == [7]


def test_the_generators_of_xpu_are_put_back_and_seeded(monkeypatch):
    state = [7]
    monkeypatch.setattr(torch.xpu, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.xpu, "get_rng_state_all", lambda: list(state))
    monkeypatch.setattr(torch.xpu, "set_rng_state_all", lambda value: state.__setitem__(0, *value))
    monkeypatch.setattr(torch.xpu, "manual_seed_all", lambda seed: state.__setitem__(0, seed))
    with streams.forked(9):
        assert state == [9]
    assert state == [7]


def test_a_gpu_that_cannot_compute_is_not_taken(monkeypatch, caplog):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("hpu"))
    assert chosen("auto").type == "cpu"
    assert "device=auto takes the CPU: torch cannot use hpu here" in caplog.text
    with pytest.raises(AdvkdError, match="device: torch cannot use it here: "):
        chosen("hpu")


def full(*args, **options):
    raise torch.OutOfMemoryError("planted")


@pytest.mark.parametrize(
    ("what", "option"),
    [
        ("advkd.training.loop.Training.step", "teacher.batch_size"),
        ("advkd.training.loop.evaluate", "eval_batch_size"),
    ],
)
def test_memory_that_runs_out_names_the_option_to_lower(what, option, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(what, full)
    # a teacher that no other test has trained
    words = (*tiny, "preset=rslad", "teacher.epochs=1", "teacher.seed=77")
    with pytest.raises(AdvkdError, match=f"^{option}: a batch of .*(\n.*)*write a smaller {option}="):
        advkd.train(advkd.resolve(*words), out=tmp_path / "run")


def test_epochs_are_averaged_where_torch_has_many_tensors_at_once(monkeypatch):
    # this makes torch take its way for GPUs on a CPU
    monkeypatch.setattr(swa_utils, "_get_foreach_kernels_supported_devices", lambda: ["cpu"])
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    swa = SWA(since=0)
    swa.build(net)
    for progress in (0.5, 1.0):
        swa.epoch_end(net, list, progress)
    assert swa.weights().keys() == net.state_dict().keys()


@pytest.mark.parametrize(
    ("found", "says"), [({"gcc"}, ""), ({"clang"}, ""), (set(), "there is no C compiler")]
)
def test_triton_needs_a_compiler_of_c(monkeypatch, found, says):
    monkeypatch.setattr("torch.utils._triton.has_triton", lambda: True)
    monkeypatch.setattr("shutil.which", lambda name: name if name in found else None)
    monkeypatch.setattr("pathlib.Path.exists", lambda path: True)
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(compiling, "_failing", lambda kind: "")
    assert engine.cannot_compile(torch.device("cuda")) == says


def test_nothing_is_compiled_for_mps():
    assert "not reliably for mps" in engine.cannot_compile(torch.device("mps"))


def test_a_generator_of_a_gpu_is_refused():
    with pytest.raises(AdvkdError, match="drawn on the CPU"):
        _ahead(SimpleNamespace(device=torch.device("cuda")))


def test_a_network_of_buffers_alone_is_where_they_are():
    net = torch.nn.Module()
    net.register_buffer("weight", torch.empty(2, device="meta"))
    assert device_of(net).type == "meta"


def test_threads_of_several_gpus_do_not_compute_in_float16():
    seen = []
    net = torch.nn.Conv2d(1, 2, 1)
    net.register_forward_hook(lambda net, args, output: seen.append(output.dtype))
    for whole in (net, torch.nn.DataParallel(net)):
        engine.Engine(bf16=True)(whole)(torch.rand(3, 1, 2, 2))
    assert seen == [torch.bfloat16, torch.float32]


def trained(net):
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    net(torch.rand(2, 3, 5, 5)).sum().backward()
    optimizer.step()
    return optimizer, torch.optim.lr_scheduler.ConstantLR(optimizer)


def convolution():
    return torch.nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)


def test_momentum_lies_as_its_parameter_does_after_a_resume(tmp_path):
    net = convolution()
    optimizer, scheduler = trained(net)
    checkpoint.save(tmp_path / "file", {"student": net}, optimizer, scheduler, {})
    again = convolution()
    fresh, scheduler = trained(again)
    checkpoint.restore(tmp_path / "file", {"student": again}, fresh, scheduler)
    for one, two in zip(net.parameters(), again.parameters(), strict=True):
        before, after = (o.state[p]["momentum_buffer"] for o, p in ((optimizer, one), (fresh, two)))
        assert torch.equal(before, after)
        assert after.stride() == two.stride() == one.stride()


def test_a_full_gpu_is_not_taken_for_a_checkpoint_of_another_run(tmp_path, monkeypatch):
    def full(*args):
        raise torch.OutOfMemoryError("CUDA out of memory")

    net = convolution()
    optimizer, scheduler = trained(net)
    checkpoint.save(tmp_path / "file", {"student": net}, optimizer, scheduler, {})
    monkeypatch.setattr(net, "load_state_dict", full)
    with pytest.raises(torch.OutOfMemoryError):
        checkpoint.restore(tmp_path / "file", {"student": net}, optimizer, scheduler)


def test_whoever_has_set_another_default_device_trains_and_audits_all_the_same(tiny, tmp_path):
    # `meta` has shapes and no numbers: nothing could be drawn, compared or indexed there
    digits = advkd.resolve("preset=standard").data.open("test").subset(torch.arange(20))
    torch.set_default_device("meta")
    try:
        result = advkd.train(advkd.resolve(*tiny, "preset=rslad"), out=tmp_path / "run")
        verdict = advkd.audit(result.net, digits, Threat(eps=0.1), suite="quick")
        assert torch.get_default_device().type == "meta"
    finally:
        torch.set_default_device(None)
    assert verdict.clean > 0
