"""What a run leaves to be looked at: traced paths, and the weights along the paths it trained on."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from parts import small_net, undecided

import advkd
from advkd.data.images import Images
from advkd.methods.branches import Branches
from advkd.networks.modes import logits_of
from advkd.training import tracing
from advkd.training.weight_statistics import Weighed
from advkd.types import Threat

THREAT = Threat(eps=0.1)


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(4)
    return Images(torch.rand(90, 1, 6, 6, generator=generator), torch.arange(90) % 5)


def traced(folder, nets, images, seed=0):
    folder.mkdir(exist_ok=True)
    tracing.leave(folder, nets, images, THREAT, seed)
    with np.load(folder / tracing.PATHS) as file:
        return {key: file[key] for key in file.files}


def nets(images, **seeds):
    """Networks that are right on about half of the images, which are given their labels."""
    found = {name: small_net(4, seed=seed) for name, seed in seeds.items()}
    for net in found.values():
        undecided(net, images.x.double())
    with torch.no_grad():
        images.y[::2] = found["student"](images.x.double()).argmax(1)[::2]
    return {name: net.float().train() for name, net in found.items()}


def test_shares_and_margins_are_those_of_the_stored_points(images, tmp_path):
    both = nets(images, student=1, teacher=2)
    found = traced(tmp_path, both, images)
    y = torch.from_numpy(found["y"])
    for name, net in both.items():
        clean = (logits_of(net, images.x).argmax(1) == images.y).double().mean().item()
        for branch in ("untargeted", "targeted"):
            assert found[f"{branch}.right.{name}"][0] == pytest.approx(clean)
            x = torch.from_numpy(found[f"{branch}.x"]).float() / 255
            assert ((x - x[0]).abs() <= 0.1 + 1 / 255).all()
            for k, points in enumerate(x):
                p = logits_of(net, points).softmax(1)
                own = p.gather(1, y[:, None]).squeeze(1)
                rival = p.scatter(1, y[:, None], -1).amax(1)
                # stored to 1/255
                assert np.allclose(found[f"{branch}.margin.{name}"][k], own - rival, atol=0.1)
            right = found[f"{branch}.said.{name}"] == found["y"]
            margin = found[f"{branch}.margin.{name}"]
            assert (right == (margin > 0)).all()
    assert json.loads(str(found["about"]))["n"] == 90


def test_untargeted_walks_away_and_targeted_toward_the_teachers_runner_up(images, tmp_path):
    both = nets(images, student=1, teacher=2)
    found = traced(tmp_path, both, images)
    right = found["untargeted.right.student"]
    assert right[-1] < right[0]
    start = torch.from_numpy(found["targeted.x"][0]).float() / 255
    said = logits_of(both["teacher"], start)
    y = torch.from_numpy(found["y"])
    assert (said.scatter(1, y[:, None], -torch.inf).argmax(1).numpy() == found["targeted.goal"]).all()
    ends = torch.from_numpy(found["targeted.x"][[0, -1]]).float() / 255
    goal = torch.from_numpy(found["targeted.goal"])
    before, after = (
        logits_of(both["student"], x).log_softmax(1).gather(1, goal[:, None]).mean() for x in ends
    )
    assert after > before


def test_pictures_are_of_images_that_the_student_loses_first(images, tmp_path):
    found = traced(tmp_path, nets(images, student=1, teacher=2), images)
    said = found["untargeted.said.student"]
    assert (said[0] == found["y"]).all()
    assert (said[-1] != found["y"]).all()


def test_the_same_seed_gives_the_same_bits_and_leaves_networks_as_found(images, tmp_path):
    both = nets(images, student=1, teacher=2)
    before = {k: v.clone() for net in both.values() for k, v in net.state_dict().items()}
    state = torch.random.get_rng_state()
    one, two, other = (traced(tmp_path / str(i), both, images, seed) for i, seed in enumerate((0, 0, 1)))
    files = [(tmp_path / str(i) / tracing.PATHS).read_bytes() for i in (0, 1)]
    assert files[0] == files[1]
    assert any(not np.array_equal(one[key], other[key]) for key in one)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(net.training and net[0].weight.grad is None for net in both.values())
    after = {k: v for net in both.values() for k, v in net.state_dict().items()}
    assert all(torch.equal(before[k], after[k]) for k in before)
    assert two.keys() == one.keys()


def test_without_a_teacher_the_student_names_the_goal(images, tmp_path):
    only = nets(images, student=1)
    found = traced(tmp_path, only, images)
    assert not [key for key in found if "teacher" in key]
    start = torch.from_numpy(found["targeted.x"][0]).float() / 255
    y = torch.from_numpy(found["y"])
    said = logits_of(only["student"], start).scatter(1, y[:, None], -torch.inf)
    assert (said.argmax(1).numpy() == found["targeted.goal"]).all()


def weight_records(folder, of="weight"):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if line["name"].startswith(f"train.{of}.")]


def test_weights_along_the_path_are_means_of_what_was_used(tiny, tmp_path, monkeypatch):
    seen = []
    stream = Branches._stream

    def listening(self, name, path, step):
        weighed = step.weighed
        object.__setattr__(step, "weighed", lambda t, w: (seen.append((step.epoch, t, w)), weighed(t, w)))
        try:
            return stream(self, name, path, step)
        finally:
            object.__setattr__(step, "weighed", weighed)

    monkeypatch.setattr(Branches, "_stream", listening)
    advkd.train(advkd.resolve(*tiny, "preset=path-dual", "epochs=2"), out=tmp_path / "run")
    records = weight_records(tmp_path / "run")
    assert {(r["epoch"], r["name"]) for r in records} == {
        (epoch, f"train.weight.{branch}.path") for epoch in (0, 1) for branch in ("untargeted", "targeted")
    }
    for record in records:
        term = record["name"].removeprefix("train.weight.")
        used = torch.stack([w for epoch, t, w in seen if (epoch, t) == (record["epoch"], term)])
        assert len(used) == 8
        points = list(record["parts"].values())
        assert points == pytest.approx(used.mean((0, 2)).tolist(), rel=1e-5)
        assert points[0] == 0
        assert sum(points) == pytest.approx(1.0, abs=1e-5)
        assert record["value"] == pytest.approx(sum(points))
    counting = weight_records(tmp_path / "run", "points")
    assert len(counting) == len(records)
    assert all(1 < record["value"] < 10 for record in counting)


def test_as_many_points_count_as_weigh_the_same():
    weighed = Weighed()
    weighed("b.t", torch.tensor([[0.0, 0.0, 0.0], [0.5, 1.0, 0.0], [0.5, 0.0, 0.0]]))
    weighed("b.t", torch.tensor([[0.0, 0.0, 0.0], [0.5, 2.0, 0.0], [0.5, 2.0, 0.0]]))
    ((term, points, counting),) = weighed.means()
    assert term == "b.t"
    assert points == pytest.approx([0, (1.5 + 2.5) / 6, (0.5 + 2.5) / 6])
    assert counting == pytest.approx((1.5 + 2.0) / 2)


def test_terms_that_name_their_points_report_no_weights(tiny, tmp_path):
    advkd.train(advkd.resolve(*tiny, "preset=trades", "epochs=1"), out=tmp_path / "run")
    assert not weight_records(tmp_path / "run")
