"""Which images an audit judges, and in which batches."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from audit_parts import BRIEF, untrained
from torch.utils.data import TensorDataset

import advkd
from advkd import admission
from advkd.types import Threat


def test_a_subset_is_stated_and_counts_as_standing(robust, digits, threat):
    options = {"evaluators": {"noise": "noise", "square": {"use": "square", "queries": 20}}}
    verdict = advkd.audit(robust, digits, threat, subset={"square": 10}, curves={"images": 0}, **options)
    assert verdict.main.entries["square"].tried.sum() == 10
    assert any("square on" in what for what in verdict.not_tried)


def test_limit_is_stratified_and_seeded(robust, digits, threat, tmp_path):
    verdicts, chosen = [], []
    for folder, seed in (("first", 0), ("again", 0), ("other", 1)):
        out = tmp_path / folder
        verdicts.append(advkd.audit(robust, digits, threat, limit=20, seed=seed, out=out, **BRIEF))
        with np.load(out / "examples.npz") as file:
            chosen.append(json.loads(str(file["about"]))["images"])
    first, again, _ = verdicts
    assert first.main.n == 20
    assert len(first.main.y.unique()) == 10
    assert torch.equal(first.main.survivors, again.main.survivors)
    assert chosen[0] == chosen[1] != chosen[2]


def test_images_are_kept_where_asked(robust, digits, threat, tmp_path):
    verdict = advkd.audit(robust, digits, threat, save="images", out=tmp_path, batch_size=16, **BRIEF)
    entry = verdict.main.entries["pgd"]
    with np.load(tmp_path / "examples.npz") as file:
        x = torch.from_numpy(file["model.pgd.images"])
    start = digits.x[entry.tried]
    assert torch.allclose((x - start).abs().flatten(1).amax(1), entry.distance[entry.tried])
    assert torch.equal(robust(x).argmax(1) == digits.y[entry.tried], entry.right[entry.tried])
    assert not list(tmp_path.glob("partial/*"))
    options = {"save": "images", "out": tmp_path, "batch_size": 16}
    advkd.audit(robust, digits, threat, nets={"teacher": untrained(10)}, **options, **BRIEF)
    with np.load(tmp_path / "examples.npz") as file:
        assert torch.equal(torch.from_numpy(file["model.pgd.images"]), x)
        assert "teacher.pgd.images" in file.files


def test_any_dataset_and_any_size():
    net = untrained(3, (3, 11, 7))
    data = TensorDataset(torch.rand(12, 3, 11, 7), torch.arange(12) % 3)
    verdict = advkd.audit(net, data, Threat(norm="l2", eps=0.5), **BRIEF)
    assert verdict.main.n == 12
    assert len(verdict.about["classes"]["clean"]) == 3


def test_the_batch_fits_the_memory_there_is(robust, digits, monkeypatch):
    device, sizes = torch.device("cpu"), []
    for free in (2e5, 2e6, 2e12):
        monkeypatch.setattr(admission, "free_memory", lambda _, free=free: free)
        sizes.append(admission.fitting_batch(robust, "model", digits, device))
    assert 1 <= sizes[0] < sizes[1] < sizes[2] == 512
    assert all(size & (size - 1) == 0 for size in sizes)


def test_a_batch_size_found_once_is_kept(robust, digits, threat, tmp_path, monkeypatch):
    monkeypatch.setattr(admission, "free_memory", lambda _: 2e6)
    first = advkd.audit(robust, digits, threat, out=tmp_path, **BRIEF)
    monkeypatch.setattr(admission, "free_memory", lambda _: 2e12)
    again = advkd.audit(robust, digits, threat, out=tmp_path, **BRIEF)
    assert again.cost["batch_size"] == first.cost["batch_size"] < 512


def test_a_subset_is_drawn_by_the_seed_from_every_class(robust, digits, threat):
    order = digits.y.argsort()
    images = digits.subset(order)
    options = {"evaluators": {"square": {"use": "square", "queries": 2}}, "curves": {"images": 0}}
    tried = []
    for seed in (0, 0, 1):
        row = advkd.audit(robust, images, threat, subset={"square": 15}, seed=seed, **options).main
        tried.append(row.entries["square"].tried)
        low, high = row.alone("square")
        left = row.entries["clean"].right & ~tried[-1]
        assert high - low == pytest.approx(left.double().mean().item())
    assert all(int(one.sum()) == 15 and len(images.y[one].unique()) > 4 for one in tried)
    assert torch.equal(tried[0], tried[1])
    assert not torch.equal(tried[0], tried[2])
