import dataclasses

import pytest
import torch
from torch import nn

from advkd import registry
from advkd.errors import AdvkdError
from advkd.models.mobilenetv2 import MobileNetV2
from advkd.models.normalise import Normalise, pixels
from advkd.models.resnet import ResNet8, ResNet18, ResNet20, ResNet32, ResNet56
from advkd.models.tiny_cnn import TinyCNN
from advkd.models.wideresnet import WideResNet

CIFAR = (3, 32, 32)
SMALL = [
    TinyCNN(),
    ResNet8(width=4),
    ResNet18(width=4),
    MobileNetV2(width=0.25),
    WideResNet(depth=10, width=1, dropout=0.1),
]


def kind(source):
    return type(source).__name__


@pytest.mark.parametrize(
    ("source", "shape", "count"),
    [
        (ResNet20(), CIFAR, 269_722),
        (ResNet32(), CIFAR, 464_154),
        (ResNet56(), CIFAR, 853_018),
        (ResNet18(), CIFAR, 11_173_962),
        (MobileNetV2(), CIFAR, 2_296_922),
        (WideResNet(), CIFAR, 46_160_474),
        (WideResNet(depth=28), CIFAR, 36_479_194),
        (TinyCNN(), (1, 8, 8), 6_274),
        (TinyCNN(width=32), (1, 8, 8), 94_186),
    ],
)
def test_parameters_are_those_of_the_published_networks(source, shape, count):
    with torch.device("meta"):
        net = source(10, shape)
    assert sum(p.numel() for p in net.parameters()) == count


@pytest.mark.parametrize("shape", [(1, 4, 4), (1, 8, 8), (3, 33, 17), (2, 9, 12)])
@pytest.mark.parametrize("source", SMALL, ids=kind)
def test_images_of_any_size_and_channels(source, shape):
    net = source(7, shape)
    x = torch.rand(2, *shape, requires_grad=True)
    logits = net(x)
    assert logits.shape == (2, 7)
    logits.sum().backward()
    assert all(p.grad is not None for p in net.parameters())


@pytest.mark.parametrize("source", SMALL, ids=kind)
def test_normalisation_inside_equals_normalised_images_outside(source):
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.25, 0.5)
    plain = source(5, CIFAR).eval()
    inside = dataclasses.replace(source, mean=mean, std=std)(5, CIFAR).eval()
    inside.net.load_state_dict(plain.net.state_dict())
    x = torch.rand(2, *CIFAR)
    outside = (x - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    assert torch.allclose(inside(x), plain(outside), atol=1e-5)
    assert not torch.equal(inside(x), plain(x))


def test_by_default_pixels_reach_the_network_unchanged():
    x = torch.rand(2, *CIFAR)
    assert torch.equal(pixels(nn.Identity(), (0.0,), (1.0,), 3)(x), x)


@pytest.mark.parametrize(
    ("mean", "std", "place"),
    [((0.1, 0.2), (1.0,), "mean"), ((0.0,), (1.0, 1.0), "std"), ((0.0,), (0.0,), "std")],
)
def test_statistics_that_do_not_fit(mean, std, place):
    with pytest.raises(AdvkdError) as caught:
        TinyCNN(mean=mean, std=std)(10, CIFAR)
    assert caught.value.problems[0].place == place


def test_a_shortcut_without_parameters_takes_every_second_pixel():
    net = ResNet8(width=4)(10, CIFAR).net
    x = torch.rand(2, 4, 5, 5)
    y = net.layer2[0].shortcut(x)
    assert torch.equal(y[:, 2:6], x[:, :, ::2, ::2])
    assert not y[:, :2].any()
    assert not y[:, 6:].any()


@pytest.mark.parametrize(
    ("source", "names"),
    [
        (
            ResNet18(width=4),
            ["conv1.weight", "layer2.0.shortcut.0.weight", "layer4.1.bn2.bias", "linear.bias"],
        ),
        (
            MobileNetV2(),
            ["layers.0.shortcut.1.bias", "layers.16.conv3.weight", "conv2.weight", "linear.bias"],
        ),
        (
            WideResNet(depth=10, width=2),
            ["block1.layer.0.convShortcut.weight", "block3.layer.0.bn2.bias", "bn1.weight", "fc.weight"],
        ),
    ],
    ids=kind,
)
def test_weights_carry_the_names_of_public_code(source, names):
    assert set(names) <= source(10, CIFAR).net.state_dict().keys()


@pytest.mark.parametrize(
    "options", [{"depth": 30}, {"depth": 4}, {"width": 0}, {"dropout": 1.0}], ids=lambda o: next(iter(o))
)
def test_a_wide_network_refuses_impossible_options(options):
    with pytest.raises(AdvkdError) as caught:
        WideResNet(**options)
    assert caught.value.problems[0].place == next(iter(options))


@pytest.mark.parametrize("cls", [TinyCNN, ResNet8, ResNet18, MobileNetV2])
def test_a_width_of_nothing_is_refused(cls):
    with pytest.raises(AdvkdError, match="width"):
        cls(width=0)


@pytest.mark.parametrize(
    "name", ["tiny-cnn", "resnet8", "resnet20", "resnet18", "mobilenetv2", "wideresnet", "timm", "file"]
)
def test_every_model_is_found_by_its_name(name):
    assert dataclasses.is_dataclass(registry.load("models", name))


def test_statistics_move_with_the_network():
    net = pixels(nn.Identity(), (0.5,), (0.5,), 3)
    assert isinstance(net.normalise, Normalise)
    assert net.double().normalise.mean.dtype == torch.float64
    assert {"normalise.mean", "normalise.std"} <= net.state_dict().keys()
