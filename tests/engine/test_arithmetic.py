"""Float32 is never TF32 in its stead: seen by torch's own switch, on unless somebody turns it off."""

from __future__ import annotations

import pytest
import torch
from parts import small_net
from torch import nn

import advkd
from advkd.config.build import member
from advkd.config.layers import named
from advkd.errors import Interrupted
from advkd.networks.engine import Engine
from advkd.step import Step
from advkd.streams import streams
from advkd.types import Batch, Threat


def rounded() -> bool:
    return torch.backends.cudnn.allow_tf32


class Seen(torch.autograd.Function):
    """The identity, which writes down how torch rounds on the way there and back."""

    @staticmethod
    def forward(ctx, x, there, back):
        there.append(rounded())
        ctx.back = back
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        ctx.back.append(rounded())
        return gradient, None, None


class Watched(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net, self.there, self.back = net, [], []

    def forward(self, x):
        return self.net(Seen.apply(x, self.there, self.back) if x.requires_grad else x)


def test_the_first_step_from_its_own_answer_is_float32_there_and_back():
    assert rounded()
    student = Watched(small_net(4).float())
    fast = Engine(bf16=True)(student)
    twin = fast.__dict__["twin"]
    method = member("methods", named("presets", "trades")["method"], "method")[0]
    step = Step(nets={"student": fast}, threat=Threat(eps=0.1), streams=streams(0), progress=0.5)
    x = torch.rand(8, 1, 6, 6, generator=torch.Generator().manual_seed(3))
    method.paths(Batch(x, torch.arange(8) % 5), step)
    steps = method.branches["untargeted"].attack.steps
    assert twin.there == twin.back == [False] + [True] * (steps - 1)
    assert rounded()


def test_a_resumed_teacher_and_the_traced_paths_are_those_of_float32(tiny, tmp_path):
    run = advkd.resolve("preset=rslad", *tiny, "precision=float32")
    net = advkd.train(advkd.resolve("preset=standard", *tiny), out=tmp_path / "t").net
    seen: list[bool] = []
    net.register_forward_hook(lambda net, args, output: seen.append(rounded()) if len(args[0]) > 1 else None)

    def stop(record):
        if record.name == "epoch.seconds" and record.epoch == 0:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        advkd.train(run, teacher=net, out=tmp_path / "run", reporters=[stop])
    first = len(seen)
    advkd.resume(tmp_path / "run", teacher=net)
    assert first
    assert len(seen) > first
    assert not any(seen)
