"""Weights from a file: whose they are, what they are called, what does not fit."""

import pytest
import torch

from advkd.errors import AdvkdError
from advkd.models.file import File, matched
from advkd.models.resnet import ResNet8
from advkd.models.timm import Timm
from advkd.models.wideresnet import WideResNet
from advkd.networks import weights

CIFAR = (3, 32, 32)


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


def test_weights_in_half_precision_become_single(tmp_path):
    net = lively(SOURCE)
    state = {key: v.half() if v.is_floating_point() else v for key, v in net.state_dict().items()}
    weights.write(tmp_path / "half.safetensors", state, ABOUT)
    found = File(path=str(tmp_path / "half.safetensors"))(10, CIFAR).eval()
    assert {value.dtype for value in found.parameters()} == {torch.float32}
    x = torch.rand(2, *CIFAR)
    torch.testing.assert_close(found(x), net(x), rtol=1e-2, atol=1e-2)


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


class Two(torch.nn.Module):
    """Parts that are called like wrappers."""

    def __init__(self):
        super().__init__()
        self.net, self.model = torch.nn.Linear(2, 2), torch.nn.Sequential(*2 * [torch.nn.Linear(2, 2)])


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.module."])
def test_parts_that_are_called_like_wrappers_keep_their_names(prefix):
    state = Two().state_dict()
    found, moves = matched({prefix + key: value for key, value in state.items()}, Two())
    assert {key: value.tolist() for key, value in found.items()} == {k: v.tolist() for k, v in state.items()}
    assert len(moves) == (len(state) if prefix else 0)


def test_an_exported_program_is_told_as_one(tmp_path):
    program = torch.export.export(torch.nn.Linear(2, 2), (torch.rand(1, 2),))
    torch.export.save(program, tmp_path / "student.pt2")
    with pytest.raises(AdvkdError, match=r"(?s)an exported program, not weights.*FILE\.py"):
        weights.read(tmp_path / "student.pt2", "target")


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
    with pytest.raises(AdvkdError, match=r"name it: teacher\.model=NAME") as caught:
        File(path=str(tmp_path / "w.pt"))(10, CIFAR)
    assert caught.value.problems[0].place == "file.model"


def test_a_file_with_statistics_keeps_them_and_says_so(tmp_path, caplog):
    torch.save(ResNet8(width=4, std=(0.25,))(10, CIFAR).state_dict(), tmp_path / "w.pt")
    with caplog.at_level("INFO", "advkd"):
        net = File(path=str(tmp_path / "w.pt"), model=ResNet8(width=4, std=(0.5,)))(10, CIFAR)
    assert net.normalise.std.flatten().tolist() == [0.25] * 3
    assert "keeps the mean and std it holds: [0.0, 0.0, 0.0], [0.25, 0.25, 0.25], not " in caplog.text


def test_a_model_of_a_file_that_was_not_loaded_is_named(tmp_path):
    weights.write(
        tmp_path / "w.safetensors", SOURCE(10, CIFAR).state_dict(), {**ABOUT, "model": {"use": "mine"}}
    )
    with pytest.raises(AdvkdError, match=r"its model mine is not known here.*\n.*\n.*load=FILE\.py"):
        File(path=str(tmp_path / "w.safetensors"))(10, CIFAR)
