"""The arithmetic of the networks, block by block: weights of the public ones load, and must mean the same."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torchvision.models.resnet import BasicBlock

from advkd.models.mobilenetv2 import Inverted, MobileNetV2
from advkd.models.residual import Block
from advkd.models.resnet import ResNet8, ResNet18
from advkd.models.wideresnet import WideResNet
from advkd.networks.folding import fold

CIFAR = (3, 32, 32)


def lively(net):
    """The network in float64, with statistics and factors that leave no BatchNorm out."""
    generator = torch.Generator().manual_seed(0)
    net.double().eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for value in (module.weight, module.running_var):
                value.data.uniform_(0.5, 1.5, generator=generator)
            for value in (module.bias, module.running_mean):
                value.data.uniform_(-1, 1, generator=generator)
    return net


def images(*shape):
    return torch.randn(2, *shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def alike(left, right):
    return torch.allclose(left, right, rtol=0, atol=1e-12)


def test_a_residual_block_is_that_of_torchvision():
    ours = lively(Block(4, 8, 2, True))
    theirs = BasicBlock(4, 8, 2, nn.Sequential(nn.Conv2d(4, 8, 1, 2, bias=False), nn.BatchNorm2d(8)))
    renamed = {name.replace("shortcut", "downsample"): value for name, value in ours.state_dict().items()}
    theirs.double().eval().load_state_dict(renamed)
    x = images(4, 8, 8)
    assert alike(ours(x), theirs(x))
    assert ours(x).min() == 0


def test_a_wide_block_activates_before_the_shortcut_that_has_weights():
    net = lively(WideResNet(depth=16, width=2)(10, CIFAR)).net
    first, second = net.block2.layer
    x = images(32, 8, 8)

    def inner(block, active):
        return block.conv2(F.relu(block.bn2(block.conv1(active))))

    active = F.relu(first.bn1(x))
    assert alike(first(x), first.convShortcut(active) + inner(first, active))
    x = images(64, 4, 4)
    assert alike(second(x), x + inner(second, F.relu(second.bn1(x))))


@pytest.mark.parametrize(("outputs", "stride"), [(8, 1), (16, 1), (8, 2)])
def test_an_inverted_block_ends_without_relu(outputs, stride):
    block, x = lively(Inverted(8, outputs, 6, stride)), images(8, 6, 6)
    inner = F.relu(block.bn1(block.conv1(x)))
    inner = block.bn3(block.conv3(F.relu(block.bn2(block.conv2(inner)))))
    assert inner.min() < 0
    around = block.shortcut(x) if stride == 1 else 0
    assert alike(block(x), inner + around)


@pytest.mark.parametrize(
    ("source", "sizes"),
    [
        (ResNet8(width=4), {"conv1": 32, "layer1": 32, "layer2": 16, "layer3": 8}),
        (ResNet18(width=4), {"conv1": 32, "layer1": 32, "layer2": 16, "layer3": 8, "layer4": 4}),
        (WideResNet(depth=10, width=1), {"conv1": 32, "block1": 32, "block2": 16, "block3": 8}),
        (MobileNetV2(width=0.25), {"conv1": 32, "conv2": 4}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_small_images_are_halved_where_the_small_versions_halve_them(source, sizes):
    net, found = source(10, CIFAR).eval().net, {}
    for name in sizes:
        net.get_submodule(name).register_forward_hook(
            lambda module, args, out, name=name: found.update({name: out.shape[-1]})
        )
    net(torch.rand(1, *CIFAR))
    assert found == sizes


def test_dropout_is_applied_in_train_mode_alone():
    torch.manual_seed(0)
    net, x = WideResNet(depth=10, width=1, dropout=0.9)(10, CIFAR), torch.rand(2, *CIFAR)
    assert not torch.equal(net.train()(x), net(x))
    assert torch.equal(net.eval()(x), net(x))


def test_convolutions_are_drawn_by_their_outputs():
    torch.manual_seed(0)
    net = ResNet8()(10, CIFAR).net
    weight = next(
        c.weight for c in net.modules() if isinstance(c, nn.Conv2d) and c.weight.shape[:2] == (32, 16)
    )
    assert weight.var().item() == pytest.approx(2 / (32 * 9), rel=0.1)


@pytest.mark.parametrize("norm", [nn.BatchNorm2d(2, eps=0.1), nn.BatchNorm2d(2, eps=0.1, affine=False)])
def test_folding_keeps_the_eps_of_a_norm(norm):
    net = nn.Sequential(nn.Conv2d(1, 2, 3), norm).double().eval()
    norm.running_var.uniform_(0.05, 0.2)
    x = images(1, 6, 6)
    wanted = net(x)
    fold(net)
    assert alike(net(x), wanted)
