import dataclasses

import pytest
import torch
from torch import nn

from advkd import registry, weights
from advkd.errors import AdvkdError
from advkd.models.file import File, matched
from advkd.models.mobilenetv2 import MobileNetV2
from advkd.models.normalise import Normalise, pixels
from advkd.models.resnet import ResNet8, ResNet18, ResNet20, ResNet32, ResNet56
from advkd.models.timm import Timm, fitted
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


# timm


def test_a_timm_network_stands_behind_its_own_statistics():
    net = Timm(name="test_resnet")(10, (3, 32, 32))
    assert net(torch.rand(2, 3, 32, 32)).shape == (2, 10)
    assert net.normalise.mean.flatten().tolist() == pytest.approx(net.net.pretrained_cfg["mean"])


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


# weights from a file


def lively(source, classes=10, shape=CIFAR):
    net = source(classes, shape)
    for value in [*net.parameters(), *net.buffers()]:
        if value.is_floating_point() and value.shape[:1] != (1,):
            value.data.uniform_(0.5, 1.5)
    return net.eval()


def alike(left, right):
    x = torch.rand(2, *CIFAR)
    return torch.equal(left.eval()(x), right.eval()(x))


SOURCE = ResNet8(width=4)
ABOUT = {"model": {"use": "resnet8", "width": 4}, "classes": 10, "shape": [3, 32, 32]}


def test_a_file_of_this_toolkit_and_its_folder_need_no_model(tmp_path):
    net = lively(ResNet8(width=4, mean=(0.5,), std=(0.25,)))
    weights.write(tmp_path / "student.safetensors", net.state_dict(), ABOUT)
    assert alike(File(path=str(tmp_path / "student.safetensors"))(10, CIFAR), net)
    assert alike(File(path=str(tmp_path))(10, CIFAR), net)


def test_nothing_is_fetched_for_weights_that_are_at_hand(tmp_path, monkeypatch):
    net = Timm(name="test_resnet")(10, CIFAR).eval()
    model = {"use": "timm", "name": "test_resnet", "pretrained": True}
    weights.write(tmp_path / "w.safetensors", net.state_dict(), {**ABOUT, "model": model})
    monkeypatch.setattr(Timm, "__call__", lambda self, classes, shape: assert_local(self) or net)
    File(path=str(tmp_path / "w.safetensors"))(10, CIFAR)


def assert_local(source):
    assert source.pretrained is False


@pytest.mark.parametrize(
    "prefix", ["", "module.", "model.", "net.", "1.", "_orig_mod.", "module.model.", "module.net._orig_mod."]
)
def test_prefixes_of_wrappers_are_removed_and_reported_once(tmp_path, caplog, prefix):
    net = lively(SOURCE)
    state = {prefix + key: value for key, value in net.net.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "teacher.pt")
    with caplog.at_level("INFO", "advkd"):
        assert alike(File(path=str(tmp_path / "teacher.pt"), model=SOURCE)(10, CIFAR), net)
    outer = prefix.removesuffix("net.")
    told = [r.message for r in caplog.records if "removed" in r.message]
    if outer:
        assert told == [f"teacher.pt: prefix '{outer}' removed from {len(state)} keys"]
    else:
        assert not told


def test_the_prefix_of_our_own_files_inside_another_wrapper(tmp_path):
    net = lively(ResNet8(width=4, mean=(0.5,)))
    torch.save({f"module.{k}": v for k, v in net.state_dict().items()}, tmp_path / "w.pt")
    assert alike(File(path=str(tmp_path / "w.pt"), model=SOURCE)(10, CIFAR), net)


@pytest.mark.parametrize(
    ("mean", "std"), [("mean", "std"), ("mu", "sigma"), ("module.normalize.mean", "module.normalize.std")]
)
@pytest.mark.parametrize("shape", [(3,), (1, 3, 1, 1), (3, 1, 1)])
def test_statistics_under_other_names_are_taken_and_reported(tmp_path, caplog, mean, std, shape):
    net = lively(ResNet8(width=4, mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6)))
    state = dict(net.net.state_dict())
    state[mean] = net.normalise.mean.reshape(shape)
    state[std] = net.normalise.std.reshape(shape)
    torch.save(state, tmp_path / "w.pt")
    with caplog.at_level("INFO", "advkd"):
        assert alike(File(path=str(tmp_path / "w.pt"), model=SOURCE)(10, CIFAR), net)
    assert f"'{mean}' read as 'normalise.mean'" in caplog.text


def test_statistics_of_another_size_stay_unexpected(tmp_path):
    state = {**SOURCE(10, CIFAR).net.state_dict(), "mean": torch.zeros(5)}
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(AdvkdError, match="unexpected: mean"):
        File(path=str(tmp_path / "w.pt"), model=SOURCE)(10, CIFAR)


def test_a_file_without_statistics_keeps_those_of_the_model_and_says_so(tmp_path, caplog):
    torch.save(SOURCE(10, CIFAR).net.state_dict(), tmp_path / "w.pt")
    with caplog.at_level("INFO", "advkd"):
        net = File(path=str(tmp_path / "w.pt"), model=ResNet8(width=4, mean=(0.5,)))(10, CIFAR)
    assert net.normalise.mean.flatten().tolist() == [0.5] * 3
    assert "holds no mean and std" in caplog.text


def test_the_unused_block_of_trades_is_left_out_and_reported(tmp_path, caplog):
    source = WideResNet(depth=10, width=1)
    net = lively(source)
    state = {f"module.{k}": v for k, v in net.net.state_dict().items()}
    state |= {k.replace("block1", "sub_block1"): v for k, v in state.items() if "block1" in k}
    torch.save(state, tmp_path / "w.pt")
    with caplog.at_level("INFO", "advkd"):
        assert alike(File(path=str(tmp_path / "w.pt"), model=source)(10, CIFAR), net)
    assert "left out, as it never runs, 'sub_block1'" in caplog.text


def test_matching_is_strict_and_names_what_does_not_fit(tmp_path):
    state = {f"other.{k}": v for k, v in SOURCE(10, CIFAR).net.state_dict().items()}
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(AdvkdError) as caught:
        File(path=str(tmp_path / "w.pt"), model=SOURCE)(10, CIFAR)
    text = caught.value.problems[0].problem
    assert "missing: net.conv1.weight" in text
    assert "unexpected: other.conv1.weight" in text
    assert text.count("other.") == 5
    assert "more" in text


def test_counters_that_older_files_lack_are_tolerated(tmp_path):
    net = lively(SOURCE)
    state = {k: v for k, v in net.net.state_dict().items() if "num_batches" not in k}
    torch.save(state, tmp_path / "w.pt")
    assert alike(File(path=str(tmp_path / "w.pt"), model=SOURCE)(10, CIFAR), net)


def test_two_weights_for_one_place_are_refused(tmp_path):
    state = dict(SOURCE(10, CIFAR).net.state_dict())
    torch.save({**state, "module.linear.bias": torch.zeros(10)}, tmp_path / "w.pt")
    with pytest.raises(AdvkdError, match=r"unexpected: module\.linear\.bias"):
        File(path=str(tmp_path / "w.pt"), model=SOURCE)(10, CIFAR)


def test_matched_tells_what_it_renamed():
    net = SOURCE(10, CIFAR)
    state = net.state_dict()
    assert matched(state, net)[1] == []
    renamed, moves = matched({"module.conv1.weight": state["net.conv1.weight"]}, net)
    assert list(renamed) == ["net.conv1.weight"]
    assert moves == [("module.conv1.weight", "net.conv1.weight")]


@pytest.mark.parametrize("about", [{}, ABOUT])
def test_other_classes_are_said_plainly(tmp_path, about):
    weights.write(tmp_path / "w.safetensors", SOURCE(10, CIFAR).state_dict(), about)
    with pytest.raises(AdvkdError, match="trained for 10 classes, the data has 100"):
        File(path=str(tmp_path / "w.safetensors"), model=SOURCE)(100, CIFAR)


def test_other_channels_and_other_widths_are_refused(tmp_path):
    path = tmp_path / "w.safetensors"
    weights.write(path, SOURCE(10, CIFAR).state_dict(), ABOUT)
    with pytest.raises(AdvkdError, match="trained on 3 channels, the data has 1"):
        File(path=str(path))(10, (1, 32, 32))
    with pytest.raises(AdvkdError, match="shapes differ"):
        File(path=str(path), model=ResNet8(width=8))(10, CIFAR)


def test_a_foreign_file_needs_a_model(tmp_path):
    torch.save(SOURCE(10, CIFAR).state_dict(), tmp_path / "w.pt")
    with pytest.raises(AdvkdError, match="add model=NAME") as caught:
        File(path=str(tmp_path / "w.pt"))(10, CIFAR)
    assert caught.value.problems[0].place == "file.model"


def test_statistics_move_with_the_network():
    net = pixels(nn.Identity(), (0.5,), (0.5,), 3)
    assert isinstance(net.normalise, Normalise)
    assert net.double().normalise.mean.dtype == torch.float64
    assert {"normalise.mean", "normalise.std"} <= net.state_dict().keys()
