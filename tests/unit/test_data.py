"""Images in memory, splits of them, augmentation."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import Dataset, TensorDataset

from advkd import AdvkdError
from advkd.augment import Augment
from advkd.config.run import Split
from advkd.data.digits import Digits
from advkd.data.images import Images, checked, in_memory
from advkd.data.split import limited, stratified
from advkd.splits import split

LABELS = st.lists(st.integers(0, 4), min_size=10, max_size=120).map(torch.tensor)


def test_bytes_become_unit_pixels():
    x = torch.tensor([0, 51, 255], dtype=torch.uint8).view(3, 1, 1, 1)
    images = Images(x, torch.tensor([0, 1, 2]))
    batch = images.batch(torch.tensor([2, 1]))
    assert batch.x.flatten().tolist() == pytest.approx([1.0, 0.2])
    assert batch.x.dtype == torch.float32
    assert batch.y.tolist() == [2, 1]
    assert images[1][0].item() == pytest.approx(0.2)
    assert images[1][1] == 1
    assert (len(images), images.shape, len(images.subset(torch.tensor([0])))) == (3, (1, 1, 1), 1)


@pytest.mark.parametrize(
    ("x", "y", "says"),
    [
        (torch.zeros(4, 2, 2), torch.zeros(4), r"needs images \(N,C,H,W\)"),
        (torch.zeros(4, 1, 2, 2), torch.zeros(3), "as many labels"),
        (torch.zeros(0, 1, 2, 2), torch.zeros(0), "holds no images"),
        (torch.full((2, 1, 2, 2), float("inf")), torch.zeros(2), "NaN or infinity"),
        (torch.full((2, 1, 2, 2), 255.0), torch.zeros(2), "divide by 255"),
        (torch.full((2, 1, 2, 2), -2.0), torch.zeros(2), "belongs inside the model"),
        (torch.zeros(3, 1, 2, 2), torch.tensor([0, 1, 7]), r"(?s)between 0 and 4.*label 7 at index 2"),
    ],
)
def test_what_is_wrong_with_images_is_said(x, y, says):
    with pytest.raises(AdvkdError, match=says):
        checked(x, y.long(), 5, "data.train")


class Pictures(Dataset):
    def __init__(self, *sizes):
        self.sizes = sizes

    def __len__(self):
        return len(self.sizes)

    def __getitem__(self, index):
        return Image.new("RGB", self.sizes[index], (255, 0, 51)), index


def test_any_data_set_is_read_once():
    images = in_memory(Pictures((3, 2), (3, 2)), 2, "data")
    assert images.shape == (3, 2, 3)
    assert images[0][0][:, 0, 0].tolist() == pytest.approx([1, 0, 0.2])
    tensors = TensorDataset(torch.rand(4, 1, 2, 2), torch.arange(4))
    assert in_memory(tensors, 4, "data").y.tolist() == [0, 1, 2, 3]
    with pytest.raises(AdvkdError, match=r"(?s)channels last.*\(8, 8, 3\).*permute"):
        in_memory(TensorDataset(torch.rand(4, 8, 8, 3), torch.arange(4)), 4, "data")
    with pytest.raises(AdvkdError, match="differ in size"):
        in_memory(Pictures((3, 2), (2, 3)), 2, "data")


@given(LABELS, st.floats(0.05, 0.95), st.integers(0, 50))
def test_a_stratified_split_covers_and_keeps_proportions(y, fraction, seed):
    rest, part = stratified(y, fraction, seed)
    assert sorted([*rest.tolist(), *part.tolist()]) == list(range(len(y)))
    for label in y.unique():
        n, taken = (y == label).sum().item(), (y[part] == label).sum().item()
        assert abs(taken - fraction * n) <= 1
        if n > 1:
            assert 0 < taken < n
    again = stratified(y, fraction, seed)
    assert torch.equal(rest, again[0])


@given(LABELS, st.integers(5, 60), st.integers(0, 50))
def test_a_limit_is_exact_and_keeps_proportions(y, limit, seed):
    rows = limited(y, limit, seed)
    wanted = min(limit, len(y))
    assert len(rows) == len(set(rows.tolist())) == wanted
    assert rows.tolist() == sorted(rows.tolist())
    for label in y.unique():
        n, taken = (y == label).sum().item(), (y[rows] == label).sum().item()
        assert taken >= 1
        # a class that would have none takes one from the largest
        assert -len(y.unique()) < taken - wanted * n / len(y) <= 1


def test_a_limit_keeps_the_share_of_the_commonest_class():
    y = torch.tensor([0] * 900 + [*range(1, 10)] * 3 + [1] * 73)
    for limit, common in ((100, 84), (20, 10)):
        assert torch.bincount(y[limited(y, limit, 0)])[0] == common


def test_seeds_and_limits():
    y = torch.arange(100) % 5
    assert not torch.equal(limited(y, 50, 0), limited(y, 50, 1))
    assert not torch.equal(stratified(y, 0.3, 0)[1], stratified(y, 0.3, 1)[1])
    assert torch.equal(limited(y, None, 0), torch.arange(100))
    with pytest.raises(AdvkdError, match="each of 5 classes"):
        limited(y, 4, 0)


def test_the_splits_of_a_run_share_no_image():
    splits = split(Digits(), Split(validation=0.2, train=500, test=100))
    assert (len(splits.train), len(splits.validation), len(splits.test())) == (400, 100, 100)
    seen = [{bytes(x.numpy()) for x in part.x} for part in (splits.train, splits.validation, splits.test())]
    assert sum(len(part) for part in seen) == len(set.union(*seen))


def test_digits_are_all_there():
    train, test = Digits().open("train"), Digits().open("test")
    assert len(train) + len(test) == 1797
    assert len(test) == 359
    assert set(test.y.tolist()) == set(range(10))
    assert (train.x.min(), train.x.max()) == (0, 1)
    assert train.shape == Digits().shape


@pytest.mark.parametrize("shape", [(1, 6, 6), (3, 5, 8)])
def test_augmentation_is_a_crop_and_a_flip_per_image(shape):
    x = torch.rand(9, *shape)
    got = Augment(crop=2, flip=True)(x, torch.Generator().manual_seed(3))
    draws = torch.Generator().manual_seed(3)
    corners = torch.randint(5, (2, 9, 1), generator=draws)
    mirrored = torch.rand(9, generator=draws) < 0.5
    for i in range(9):
        padded = torch.nn.functional.pad(x[i], [2, 2, 2, 2])
        top, left = corners[0, i].item(), corners[1, i].item()
        window = padded[:, top : top + shape[1], left : left + shape[2]]
        wanted = window.flip(2) if mirrored[i] else window
        assert torch.equal(got[i], wanted)
    assert 0 < mirrored.sum() < 9


def test_no_augmentation_is_none():
    x = torch.rand(3, 1, 4, 4)
    assert Augment()(x, torch.Generator()) is x
    with pytest.raises(AdvkdError, match="crop"):
        Augment(crop=-1)
