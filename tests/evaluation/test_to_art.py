"""A network in the hands of adversarial-robustness-toolbox: the same logits, clipped to the box."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from parts import small_net, undecided
from torch import nn

import advkd
from advkd.models.resnet import ResNet8
from advkd.types import Threat

pytestmark = pytest.mark.filterwarnings("ignore")

SHAPE = (3, 12, 12)


@pytest.fixture
def net():
    torch.manual_seed(0)
    net = ResNet8(width=4, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.2))(7, SHAPE)
    net(torch.rand(8, *SHAPE))  # running statistics that train mode would not use
    return net


def images(n: int = 6, shape=SHAPE) -> torch.Tensor:
    return torch.rand(n, *shape, generator=torch.Generator().manual_seed(1))


def test_the_same_logits_and_what_it_says_of_itself(net):
    classifier = advkd.to_art(net.train(), SHAPE)
    assert not any(module.training for module in net.modules())
    x = images()
    assert np.allclose(classifier.predict(x.numpy()), net(x).detach().numpy(), atol=1e-6)
    assert classifier.input_shape == SHAPE
    assert classifier.nb_classes == 7
    assert tuple(classifier.clip_values) == (0, 1)
    assert classifier.preprocessing_operations == []
    assert classifier.device == torch.device("cpu")


def test_the_gradient_is_that_of_cross_entropy_on_logits(net):
    x, y = images().requires_grad_(), torch.arange(6)
    classifier = advkd.to_art(net, SHAPE)
    (own,) = torch.autograd.grad(nn.functional.cross_entropy(net(x), y, reduction="sum"), x)
    found = classifier.loss_gradient(x.detach().numpy(), nn.functional.one_hot(y, 7).numpy())
    # the toolbox averages over the batch
    assert np.allclose(found * len(x), own.numpy(), atol=1e-5)


def test_attacks_stay_in_the_box():
    from art.attacks.evasion import ProjectedGradientDescent

    net, x = small_net(6, seed=4).float().eval(), (images(12, (1, 6, 6)) * 2 - 0.5).clamp(0, 1)
    undecided(net, x)
    attack = ProjectedGradientDescent(advkd.to_art(net, (1, 6, 6)), eps=0.2, max_iter=5, verbose=False)
    found = attack.generate(x.numpy())
    assert found.min() >= 0
    assert found.max() <= 1
    assert (found != x.numpy()).any()


def test_shape_and_classes_of_a_trained_and_a_loaded_network(tiny, tmp_path):
    result = advkd.train(advkd.resolve("preset=standard", *tiny, "epochs=1"), out=tmp_path / "run")
    for net in (result.net, advkd.load(tmp_path / "run")):
        classifier = advkd.to_art(net)
        assert classifier.input_shape == (1, 8, 8)
        assert classifier.nb_classes == 10


def test_given_classes_are_not_asked_for():
    classifier = advkd.to_art(nn.Sequential(nn.Flatten(), nn.Linear(9, 3)), (1, 3, 3), 5)
    assert classifier.nb_classes == 5


def test_what_it_cannot_know(net):
    with pytest.raises(advkd.AdvkdError, match=r"to_art\(net, \(3, 32, 32\)\)"):
        advkd.to_art(net)
    with pytest.raises(advkd.AdvkdError, match="runs on cpu and cuda only"):
        advkd.to_art(net.to("meta"), SHAPE)


def test_another_box():
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    classifier = advkd.to_art(net, (1, 2, 2), box=Threat(eps=0.1, box=(-1, 1)).box)
    assert tuple(classifier.clip_values) == (-1, 1)
