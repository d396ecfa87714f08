"""Data as people have it: what would be read as something else is refused, with its reason."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from advkd.config.run import Split
from advkd.data.arrays import Arrays
from advkd.data.digits import Digits
from advkd.data.folder import Folder
from advkd.data.images import Images, in_memory
from advkd.data.torchvision import Torchvision
from advkd.errors import AdvkdError
from advkd.splits import opened_part, split

RANDOM = np.random.default_rng(0)


def pictures(root: Path, parts: tuple[str, ...], size: int = 6, count: int = 10, dtype=np.uint8) -> Path:
    for part in parts:
        folder = root / part
        folder.mkdir(parents=True)
        for i in range(count):
            pixels = RANDOM.integers(0, np.iinfo(dtype).max, (size, size), dtype=dtype)
            Image.fromarray(pixels).save(folder / f"{i}.png")
    return root


def arrays(path: Path, **changes) -> Arrays:
    x = RANDOM.integers(0, 255, (40, 8, 8, 3), dtype=np.uint8)
    y = np.arange(40) % 4
    np.savez_compressed(
        path / "data.npz", **({"x_train": x, "y_train": y, "x_test": x, "y_test": y} | changes)
    )
    return Arrays(path=str(path / "data.npz"))


def test_sixteen_bits_are_not_cut_off(tmp_path):
    source = Folder(path=str(pictures(tmp_path, ("a", "b"), dtype=np.uint16)))
    with pytest.raises(AdvkdError, match=r"pixels of the mode I;16\n.*png\n.*8 bits"):
        source.open("train")


@pytest.mark.parametrize("names", [("Train", "Test"), ("training", "validation"), ("TRAIN", "val")])
def test_splits_are_no_classes(names, tmp_path):
    pictures(tmp_path, tuple(f"{name}/{label}" for name in names for label in "ab"))
    with pytest.raises(AdvkdError, match="holds splits under other names"):
        _ = Folder(path=str(tmp_path)).classes


@pytest.mark.parametrize("name", ["test", "val"])
def test_a_folder_to_judge_on_alone(name, tmp_path):
    source = Folder(path=str(pictures(tmp_path, (f"{name}/a", f"{name}/b"), count=3)))
    assert (source.classes, len(opened_part(source, "test", Split()))) == (2, 6)
    with pytest.raises(AdvkdError, match=r"(?s)has nothing to train on.*folder train"):
        split(source, Split())


def test_arrays_to_judge_on_alone(tmp_path):
    x, y = np.zeros((6, 8, 8), np.uint8), np.arange(6) % 3
    np.savez(tmp_path / "data.npz", x_test=x, y_test=y)
    source = Arrays(path=str(tmp_path / "data.npz"))
    assert (source.classes, source.shape, len(opened_part(source, "test", Split()))) == (3, (1, 8, 8), 6)
    with pytest.raises(AdvkdError, match=r"(?s)has nothing to train on.*x_train and y_train"):
        split(source, Split())


def test_a_folder_of_a_few_images_leaves_none_to_test(tmp_path):
    with pytest.raises(AdvkdError, match="leaves no test"):
        Folder(path=str(pictures(tmp_path, ("a", "b"), count=1))).open("test")


def test_a_test_part_of_another_size_is_noticed(tmp_path):
    pictures(tmp_path, ("train/a", "train/b"), size=6)
    pictures(tmp_path, ("test/a", "test/b"), size=8)
    with pytest.raises(AdvkdError, match=r"another shape.*\n.*\(1, 8, 8\), not \(1, 6, 6\)"):
        opened_part(Folder(path=str(tmp_path)), "test", Split())


def test_a_class_of_which_a_source_has_no_training_image():
    class Gap(Digits):
        classes = 11

    with pytest.raises(AdvkdError, match=r"(?s)data.train: no image of 1 of 11 classes.*none of class 10"):
        split(Gap(), Split())


def test_too_few_images_to_validate_on():
    with pytest.raises(AdvkdError, match="none to validate on"):
        split(Digits(), Split(train=10, validation=0.01))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"x_train": np.zeros((40, 8, 8, 4), np.uint8)}, r"which axis are the channels\?"),
        ({"y_train": np.arange(40) / 4}, "y_train holds no labels"),
        ({"y_train": np.array(["cat"] * 40)}, "y_train holds no labels"),
        ({"y_train": np.arange(40)[:, None] % 4}, r"holds no labels\n.*\n.*y.ravel\(\)"),
        ({"y_train": np.eye(4, dtype=int)[np.arange(40) % 4]}, "y_train holds no labels"),
        ({"y_train": np.array(3)}, "y_train holds no labels"),
        ({"y_train": np.zeros(0, int)}, "one class only"),
    ],
)
def test_arrays_that_mean_something_else(changes, says, tmp_path):
    with pytest.raises(AdvkdError, match=says):
        split(arrays(tmp_path, **changes), Split())


def test_arrays_of_the_other_byte_order(tmp_path):
    plain, other = tmp_path / "plain", tmp_path / "other"
    plain.mkdir()
    other.mkdir()
    x = RANDOM.random((40, 1, 8, 8)).astype(np.float32)
    y = np.arange(40) % 4
    one = arrays(plain, x_train=x, y_train=y).open("train")
    two = arrays(other, x_train=x.astype(">f4"), y_train=y.astype(">i4")).open("train")
    assert torch.equal(one.x, two.x)
    assert torch.equal(one.y, two.y)


def test_a_damaged_archive_is_said_to_be_one(tmp_path):
    source = arrays(tmp_path)
    file = tmp_path / "data.npz"
    content = bytearray(file.read_bytes())
    content[200:1200] = bytes(1000)
    file.write_bytes(content)
    with pytest.raises(AdvkdError, match=r"is not a plain \.npz file"):
        source.open("train")


def test_files_of_mnist_that_are_no_such_files(tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    names = [f"{part}-{what}-ubyte" for part in ("train", "t10k") for what in ("images-idx3", "labels-idx1")]
    for name in names:
        (raw / name).write_bytes(gzip.compress(b"still packed"))
    source = Torchvision(name="MNIST", root=str(tmp_path), download=False)
    with pytest.raises(AdvkdError, match="a file of MNIST is damaged"):
        source.open("train")
    for name in names:
        (raw / name).unlink()
        (raw / f"{name}.gz").write_bytes(gzip.compress(b"0")[:10] + zlib.compress(b"x")[::-1])
    with pytest.raises(AdvkdError, match="cannot be unpacked"):
        source.open("train")


@pytest.mark.parametrize("y", [torch.tensor([0.0, 1.5]), torch.tensor([[0], [1]]), torch.eye(2)])
def test_labels_are_one_whole_number_each(y):
    with pytest.raises(AdvkdError, match="not one class for each image"):
        Images(torch.zeros(2, 1, 4, 4), y)


def test_palettes_are_no_brightness():
    colours = Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8))
    with pytest.raises(AdvkdError, match=r"(?s)neither RGB nor greyscale.*mode P at index 1.*convert"):
        in_memory([(colours.convert("L"), 0), (colours.quantize(16), 1)], 2, "data")
    assert in_memory([(colours.convert("L"), 0), (colours.convert("L"), 1)], 2, "data").shape == (1, 8, 8)
