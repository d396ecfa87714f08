import errno
import os
import pickle
from pathlib import Path

import pytest
import torch

from advkd.errors import AdvkdError
from advkd.networks import weights


def same(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)


def test_what_was_written_is_read(tmp_path):
    tensors = {"a": torch.randn(2, 3), "n": torch.tensor(7), "h": torch.ones(2, dtype=torch.float16)}
    about = {"model": {"use": "tiny-cnn", "width": 8}, "classes": 10, "shape": [1, 8, 8]}
    weights.write(tmp_path / "w.safetensors", tensors, about)
    read, said = weights.read(tmp_path / "w.safetensors", "file.path")
    assert same(read, tensors)
    assert said == about
    assert [p.name for p in tmp_path.iterdir()] == ["w.safetensors"]


def test_tensors_that_share_memory_or_lie_crosswise_are_saved(tmp_path):
    base = torch.randn(4, 6)
    crosswise = torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last)
    tensors = {"a": base, "b": base, "row": base[1], "t": base.T, "c": crosswise}
    weights.write(tmp_path / "w.safetensors", tensors, {})
    assert same(weights.read(tmp_path / "w.safetensors", "p")[0], tensors)


@pytest.mark.parametrize("wrap", [None, "state_dict", "model", "net", "model_state_dict"])
def test_checkpoints_of_other_code_are_unwrapped(tmp_path, wrap):
    state = {"a": torch.randn(2), "b": torch.randn(3)}
    torch.save({wrap: state, "epoch": 3} if wrap else state, tmp_path / "w.pt")
    read, about = weights.read(tmp_path / "w.pt", "p")
    assert same(read, state)
    assert about == {}


def test_a_file_is_known_by_content_not_by_name(tmp_path):
    weights.write(tmp_path / "w.pt", {"a": torch.ones(1)}, {"classes": 2})
    assert weights.read(tmp_path / "w.pt", "p")[1] == {"classes": 2}


def test_what_a_file_says_is_read_without_its_tensors(tmp_path):
    weights.write(tmp_path / "w.safetensors", {"a": torch.ones(1000)}, {"classes": 2})
    torch.save({"a": torch.ones(1)}, tmp_path / "other.pt")
    assert weights.about(tmp_path / "w.safetensors", "p") == {"classes": 2}
    assert weights.about(tmp_path / "other.pt", "p") == {}
    os.truncate(tmp_path / "w.safetensors", 500)
    with pytest.raises(AdvkdError, match="cut short"):
        weights.about(tmp_path / "w.safetensors", "p")


def test_entries_that_are_no_tensors_are_reported(tmp_path, caplog):
    torch.save({"a": torch.ones(1), "epoch": 3}, tmp_path / "w.pt")
    with caplog.at_level("INFO", "advkd"):
        assert list(weights.read(tmp_path / "w.pt", "p")[0]) == ["a"]
    assert "epoch" in caplog.text


def saved(how, tmp_path):
    path = tmp_path / "w"
    if how == "pt":
        torch.save({"a": torch.randn(500)}, path)
    elif how == "legacy":
        torch.save({"a": torch.randn(500)}, path, _use_new_zipfile_serialization=False)
    else:
        weights.write(path, {"a": torch.randn(500)}, {})
    return path


@pytest.mark.parametrize("how", ["pt", "legacy", "safetensors"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.95])
def test_a_truncated_file_is_named_as_such(tmp_path, how, share):
    path = saved(how, tmp_path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(AdvkdError, match="cut short") as caught:
        weights.read(path, "file.path")
    assert caught.value.problems[0].given == str(path)
    assert caught.value.problems[0].remedy


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"\xef\xbb\xbf\n <html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        (b"just some text that is no checkpoint", "no checkpoint"),
        (bytes(range(128, 256)), "no checkpoint"),
    ],
)
def test_files_that_are_no_checkpoints(tmp_path, content, says):
    (tmp_path / "w.pt").write_bytes(content)
    with pytest.raises(AdvkdError, match=says):
        weights.read(tmp_path / "w.pt", "p")


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(AdvkdError, match=r"file\.path: no such file"):
        weights.read(tmp_path / "w.pt", "file.path")
    with pytest.raises(AdvkdError, match="directory"):
        weights.read(tmp_path, "file.path")


@pytest.mark.parametrize("content", [{"last": {"a": torch.ones(1)}}, [torch.ones(1)], 3, {}])
def test_a_checkpoint_without_weights(tmp_path, content):
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(AdvkdError, match="no weights in the file"):
        weights.read(tmp_path / "w.pt", "p")


class Touches:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("how", ["torch", "legacy", "pickle"])
def test_a_pickle_with_code_is_refused_and_does_not_run(tmp_path, how):
    path, marker = tmp_path / "w.pt", tmp_path / "marker"
    content = {"state_dict": {"a": torch.ones(1)}, "args": Touches(marker)}
    if how == "pickle":
        path.write_bytes(pickle.dumps({"args": Touches(marker)}))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=how == "torch")
    with pytest.raises(AdvkdError, match="run code are not loaded"):
        weights.read(path, "p")
    assert not marker.exists()


def no_space(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_earlier_file(tmp_path, monkeypatch, call):
    path = tmp_path / "w.safetensors"
    weights.write(path, {"a": torch.ones(1)}, {})
    monkeypatch.setattr(*(("os.fsync", no_space) if call == "fsync" else (Path, "replace", no_space)))
    with pytest.raises(AdvkdError, match="No space left") as caught:
        weights.write(path, {"a": torch.zeros(1)}, {})
    assert "make room" in caught.value.problems[0].remedy
    assert torch.equal(weights.read(path, "p")[0]["a"], torch.ones(1))
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.filterwarnings("ignore")
def test_a_program_of_torchscript_is_called_one(tmp_path):
    torch.jit.trace(torch.nn.Linear(2, 2), torch.rand(1, 2)).save(tmp_path / "w.pt")
    with pytest.raises(AdvkdError, match="TorchScript program"):
        weights.read(tmp_path / "w.pt", "p")
