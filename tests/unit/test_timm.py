"""Networks of timm."""

import pytest
import torch

from advkd.errors import AdvkdError
from advkd.models.timm import Timm, fitted

CIFAR = (3, 32, 32)


def test_a_timm_network_stands_behind_its_own_statistics():
    net = Timm(name="test_resnet")(10, (3, 32, 32))
    assert net(torch.rand(2, 3, 32, 32)).shape == (2, 10)
    assert net.normalise.mean.flatten().tolist() == pytest.approx(net.net.pretrained_cfg["mean"])


def test_statistics_of_ones_own_take_the_place_of_the_published_ones():
    net = Timm(name="test_resnet", mean=(0.0,), std=(1.0,))(10, CIFAR).eval()
    x = torch.rand(2, *CIFAR)
    assert torch.equal(net(x), net.net(x))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_timm_network_of_fixed_size_is_built_for_the_data(channels):
    net = Timm(name="test_vit")(4, (channels, 32, 32)).eval()
    assert net(torch.rand(1, channels, 32, 32)).shape == (1, 4)


def test_statistics_of_another_channel_count():
    assert fitted((0.1, 0.2, 0.6), 1) == pytest.approx([0.3])
    assert fitted((0.1, 0.2, 0.6), 4) == [0.1, 0.2, 0.6, 0.1]


def test_an_unknown_timm_name_shows_what_looks_like_it():
    with pytest.raises(AdvkdError) as caught:
        Timm(name="resnet19")(10, CIFAR)
    problem = caught.value.problems[0]
    assert problem.nearest in {"resnet18", "resnet10", "resnet14t"} or problem.nearest.startswith("resnet")
    assert 1 <= len(problem.names) <= 10


def test_a_failed_download_is_an_error_a_user_can_act_on(monkeypatch):
    def offline(*_, **__):
        raise OSError("no connection")

    monkeypatch.setattr("timm.create_model", offline)
    with pytest.raises(AdvkdError, match="no connection") as caught:
        Timm(name="resnet18", pretrained=True)(10, CIFAR)
    assert "pretrained=false" in caught.value.problems[0].remedy


@pytest.mark.parametrize(("side", "told"), [(32, True), (63, True), (64, False)])
def test_a_network_too_coarse_for_its_images_is_told(side, told, caplog):
    Timm(name="test_resnet")(10, (3, side, side))
    says = f"timm:test_resnet shrinks sides 32 times, too much for {side}x{side}; for small images"
    assert (says in caplog.text) == told
    assert told or not caplog.text
