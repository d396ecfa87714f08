"""A folded twin says what its network says, and follows it while it learns."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from advkd.config.build import member
from advkd.networks.engine import twin_of
from advkd.networks.folding import Folded, fold

MODELS = [
    {"use": "tiny-cnn", "width": 8},
    {"use": "resnet20", "width": 8},
    {"use": "resnet18", "width": 8},
    {"use": "mobilenetv2"},
]


def moved(net: nn.Module) -> nn.Module:
    """Statistics and affine parameters away from where they start."""
    generator = torch.Generator().manual_seed(0)
    for name, tensor in (*net.named_parameters(), *net.named_buffers()):
        if tensor.is_floating_point() and ("running" in name or tensor.dim() == 1):
            tensor.data.uniform_(0.5, 1.5, generator=generator)
    return net


def folds(net: nn.Module) -> int:
    return sum(isinstance(m, Folded) for m in net.modules())


@pytest.mark.parametrize("model", MODELS)
def test_every_pair_of_the_models_is_folded_and_follows(model):
    net = moved(member("models", model, "student")[0](10, (3, 32, 32)))
    twin = twin_of(net)
    fold(twin)
    assert folds(twin) == sum(isinstance(m, nn.BatchNorm2d) for m in net.modules())
    x = torch.rand(2, 3, 32, 32)
    for _ in range(2):
        expected = net.eval()(x)
        assert torch.allclose(twin(x), expected, rtol=1e-3, atol=1e-3 * expected.abs().max().item())
        with torch.no_grad():
            for tensor in (*net.parameters(), *net.buffers()):
                if tensor.is_floating_point():
                    tensor.mul_(1.1)


class Twice(nn.Module):
    """Its first convolution is read by two layers, its second is parametrised, its third is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.read, self.again = nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 1)
        self.weighted = parametrizations.weight_norm(nn.Conv2d(2, 2, 1))
        self.norms = nn.ModuleList(nn.BatchNorm2d(2) for _ in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        read = self.read(x)
        x = self.norms[0](read) + read
        x = self.norms[1](self.weighted(x))
        return self.norms[2](self.again(self.again(x))).flatten(1)


class Untraceable(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2), nn.Flatten())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x) if x.mean() > -1 else x


class Reading(nn.Module):
    """Says of its first convolution how large it is."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(x)).flatten(1) * self.conv.weight.norm()


class Aliased(nn.Module):
    """Its BatchNorm is called by one of its two names, its convolution by the other of its two."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norms = nn.Conv2d(2, 2, 1), nn.ModuleList([nn.BatchNorm2d(2)])
        self.body = nn.Sequential(self.conv, self.norms[0], nn.Flatten())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x)


@pytest.mark.parametrize("kind", [Twice, Untraceable, Reading, Aliased])
def test_what_cannot_be_folded_is_left_alone(kind):
    net = moved(kind()).eval()
    twin = twin_of(net)
    fold(twin)
    assert folds(twin) == 0
    x = torch.rand(3, 2, 4, 4)
    assert torch.equal(twin(x), net(x))


def test_layers_with_hooks_and_batch_statistics_stay():
    hooked = nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2), nn.Flatten()).eval()
    hooked[0].register_forward_hook(lambda module, args, output: output * 2)
    free = nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2, track_running_stats=False)).eval()
    for net in (hooked, free):
        fold(net)
        assert folds(net) == 0
