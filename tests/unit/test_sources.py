"""Data sources on files written by the tests; nothing here uses a network."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image

from advkd import AdvkdError
from advkd.data.arrays import Arrays
from advkd.data.folder import Folder
from advkd.data.torchvision import Torchvision

RNG = np.random.default_rng(0)


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def fashion(tmp_path):
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    made = {}
    for part, n in (("train", 30), ("t10k", 20)):
        made[part] = RNG.integers(0, 256, (n, 28, 28), dtype="uint8"), np.arange(n, dtype="uint8") % 10
        (raw / f"{part}-images-idx3-ubyte").write_bytes(idx(made[part][0]))
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(idx(made[part][1]))
    return tmp_path, made


@pytest.fixture
def offline(monkeypatch):
    def fail(*_, **__):
        raise URLError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", fail)


def test_fashion_mnist_from_files(fashion):
    root, made = fashion
    source = Torchvision(name="FashionMNIST", root=str(root), download=False)
    for part, split in (("train", "train"), ("t10k", "test")):
        images = source.open(split)
        assert torch.equal(images.x[:, 0], torch.from_numpy(made[part][0]))
        assert images.y.tolist() == made[part][1].tolist()
        assert (images.shape, source.shape, source.classes) == ((1, 28, 28), (1, 28, 28), 10)


def test_packed_files_are_unpacked_beside_themselves(fashion):
    root, made = fashion
    for plain in (root / "FashionMNIST" / "raw").iterdir():
        Path(f"{plain}.gz").write_bytes(gzip.compress(plain.read_bytes()))
        plain.unlink()
    images = Torchvision(name="FashionMNIST", root=str(root), download=False).open("train")
    assert torch.equal(images.x[:, 0], torch.from_numpy(made["train"][0]))


def test_a_damaged_packed_file_is_named(fashion):
    root, _ = fashion
    raw = root / "FashionMNIST" / "raw"
    (raw / "train-images-idx3-ubyte").unlink()
    (raw / "train-images-idx3-ubyte.gz").write_bytes(b"\x1f\x8b not gzip")
    with pytest.raises(AdvkdError, match=r"ubyte\.gz"):
        Torchvision(name="FashionMNIST", root=str(root), download=False).open("train")


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST", "SVHN", "CIFAR10", "CIFAR100"])
def test_offline_says_where_the_files_belong(name, tmp_path):
    with pytest.raises(
        AdvkdError, match=rf"(?s){name} is not there, and it cannot be downloaded.*put into"
    ) as e:
        Torchvision(name=name, root=str(tmp_path)).open("train")
    assert str(tmp_path) in str(e.value)
    with pytest.raises(AdvkdError, match="download is false"):
        Torchvision(name=name, root=str(tmp_path), download=False).open("train")


def test_an_unknown_set_suggests():
    with pytest.raises(AdvkdError, match="nearest  CIFAR10"):
        Torchvision(name="CIFAR-10")


@pytest.mark.parametrize(("name", "labels"), [("CIFAR10", "targets"), ("SVHN", "labels")])
def test_layouts_of_colour_sets(name, labels, monkeypatch):
    """CIFAR arrays have channels last, SVHN's first; labels go by two names."""
    first = RNG.integers(0, 256, (6, 3, 32, 32), dtype="uint8")

    class Fake:
        def __init__(self, *_, **__):
            self.data = first if name == "SVHN" else first.transpose(0, 2, 3, 1)
            setattr(self, labels, [0, 1, 2, 3, 4, 5])

    monkeypatch.setattr(torchvision.datasets, name, Fake)
    images = Torchvision(name=name, root="nowhere").open("test")
    assert torch.equal(images.x, torch.from_numpy(first))
    assert images.y.tolist() == [0, 1, 2, 3, 4, 5]


def pictures(folder: Path, names=("cat", "dog"), n: int = 5, mode: str = "RGB", size=(8, 6)) -> Path:
    for label, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for i in range(n):
            Image.new(mode, size, 10 * label + i).save(folder / name / f"{i}.png")
    return folder


@pytest.mark.parametrize("held_out", ["test", "val"])
def test_a_folder_with_train_and_test(held_out, tmp_path):
    pictures(tmp_path / "train")
    pictures(tmp_path / held_out, n=2)
    source = Folder(path=str(tmp_path))
    assert (source.classes, source.shape) == (2, (3, 6, 8))
    assert (len(source.open("train")), len(source.open("test"))) == (10, 4)
    assert source.open("test").y.tolist() == [0, 0, 1, 1]


def test_a_single_folder_is_split_without_overlap(tmp_path):
    pictures(tmp_path, n=10, mode="L")
    source = Folder(path=str(tmp_path))
    train, test = source.open("train"), source.open("test")
    assert (len(train), len(test), source.shape) == (16, 4, (1, 6, 8))
    assert not {int(x.max()) for x in train.x} & {int(x.max()) for x in test.x}


def test_a_folder_is_resized(tmp_path):
    pictures(tmp_path, n=3)
    Image.new("RGB", (20, 9)).save(tmp_path / "cat" / "wide.png")
    assert Folder(path=str(tmp_path), size=4).open("train").shape == (3, 4, 4)
    with pytest.raises(AdvkdError, match=r"(?s)differ in size.*8x6.*20x9.*data\.size"):
        Folder(path=str(tmp_path)).open("train")


def broken(kind: str, tmp_path: Path) -> str:
    path = tmp_path / "images"
    if kind == "absent":
        return str(path)
    if kind == "archive":
        path.write_bytes(b"x")
        return str(path)
    pictures(path / "train")
    pictures(path / "test")
    if kind == "no test":
        (path / "test").rename(path / "other")
    elif kind == "other classes":
        (path / "test" / "dog").rename(path / "test" / "cow")
    elif kind == "corrupt":
        (path / "train" / "cat" / "0.png").write_bytes(b"\x89PNG broken")
    elif kind == "one grey":
        Image.new("L", (8, 6)).save(path / "train" / "cat" / "0.png")
    elif kind == "one class":
        for file in (path / "train" / "dog").iterdir():
            file.unlink()
        (path / "train" / "dog").rmdir()
    return str(path)


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("absent", "no such folder"),
        ("archive", "unpack it first"),
        ("no test", "neither test nor val"),
        ("other classes", "(?s)differ in classes.*cow, dog"),
        ("corrupt", r"train/cat/0\.png"),
        ("one class", "one class only, cat"),
        ("one grey", r"(?s)the first image is grey and this one is not.*train/cat/1\.png"),
    ],
)
def test_a_bad_folder_is_named(kind, says, tmp_path):
    source = Folder(path=broken(kind, tmp_path))
    with pytest.raises(AdvkdError, match=says):
        print(source.classes, source.shape, source.open("train"))


def arrays(path: Path, x: np.ndarray, **more) -> Arrays:
    y = np.arange(len(x)) % 3
    np.savez(path, **{"x_train": x, "y_train": y, "x_test": x[:3], "y_test": y[:3], **more})
    return Arrays(path=str(path))


@pytest.mark.parametrize(
    ("shape", "seen"),
    [
        ((9, 4, 5), (1, 4, 5)),
        ((9, 3, 4, 5), (3, 4, 5)),
        ((9, 4, 5, 3), (3, 4, 5)),
        ((9, 4, 5, 1), (1, 4, 5)),
        ((9, 3, 5, 3), (3, 5, 3)),
    ],
)
def test_arrays_of_any_layout(shape, seen, tmp_path):
    x = RNG.integers(0, 256, shape, dtype="uint8")
    source = arrays(tmp_path / "a.npz", x)
    images = source.open("train")
    assert (source.classes, source.shape, images.shape) == (3, seen, seen)
    assert sorted(images.x.flatten().tolist()) == sorted(x.flatten().tolist())
    assert len(source.open("test")) == 3


def test_bad_arrays_are_named(tmp_path):
    x = RNG.random((9, 4, 4))
    missing = arrays(tmp_path / "a.npz", x)
    np.savez(tmp_path / "a.npz", x_train=x, y_trian=np.zeros(9))
    with pytest.raises(AdvkdError, match=r"(?s)no y_train.*y_trian"):
        print(missing.classes)
    with pytest.raises(AdvkdError, match="no such file"):
        print(Arrays(path=str(tmp_path / "no.npz")).classes)
    (tmp_path / "text.npz").write_text("not an archive")
    with pytest.raises(AdvkdError, match=r"not a plain \.npz"):
        print(Arrays(path=str(tmp_path / "text.npz")).classes)
    objects = arrays(tmp_path / "o.npz", x, y_train=np.array([{}] * 9, dtype=object))
    with pytest.raises(AdvkdError, match=r"not a plain \.npz"):
        print(objects.classes)
    with pytest.raises(AdvkdError, match="images must be"):
        print(arrays(tmp_path / "f.npz", RNG.random((9, 16))).shape)
    with pytest.raises(AdvkdError, match=r"(?s)y_train: no image of 1 of 4 classes.*none of class 0"):
        print(arrays(tmp_path / "c.npz", x, y_train=np.arange(9) % 3 + 1, y_test=np.ones(3, int)).classes)
    with pytest.raises(AdvkdError, match="y_test has a class that y_train lacks"):
        print(arrays(tmp_path / "c.npz", x, y_test=np.array([0, 3, 1])).classes)
