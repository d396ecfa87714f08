"""What is asked of GPUs, as far as it can be seen without one."""

from __future__ import annotations

import torch

from advkd import streams
from advkd.cost import peak_memory_mb


def test_a_process_without_cuda_does_not_begin_with_it(monkeypatch):
    asked = []
    monkeypatch.setattr(torch.random, "fork_rng", lambda devices: asked.append(list(devices)))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    streams.forked()
    assert asked == [[]]


def test_generators_of_the_gpus_in_use_alone_are_put_back(monkeypatch):
    asked = []
    monkeypatch.setattr(torch.random, "fork_rng", lambda devices: asked.append(list(devices)))
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda index: 100 * (index in (1, 3)))
    streams.forked()
    assert asked == [[1, 3]]


def test_peak_memory_is_that_of_the_device_in_use(monkeypatch):
    held = {0: 0, 1: 2**40}
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: held[device.index])
    assert peak_memory_mb(torch.device("cuda:1")) > 2**20 > peak_memory_mb(torch.device("cuda:0"))
    assert peak_memory_mb(torch.device("cpu")) < 2**20
