"""One seed, one outcome; and every method of a seed meets the same data, augmentation and weights."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools

import pytest
import torch
from advkd_plugins.mart.method import Mart

import advkd
from advkd.methods.branches import Branches
from advkd.splits import split
from advkd.training.loop import Setup, Training


def bits(state):
    return {name: value.numpy().tobytes() for name, value in state.items()}


@pytest.mark.parametrize("preset", ["path-dual", "mart"])
def test_same_seed_same_bits(preset, tiny, tmp_path):
    run = advkd.resolve(*tiny, f"preset={preset}", "augment={crop: 1, flip: true}")
    one, two = (advkd.train(run, out=tmp_path / name) for name in ("one", "two"))
    assert bits(one.net.state_dict()) == bits(two.net.state_dict())
    assert {k: v.tolist() for k, v in one.right.items()} == {k: v.tolist() for k, v in two.right.items()}
    # whatever the global generators say meanwhile
    torch.manual_seed(99)
    three = advkd.train(run, out=tmp_path / "three")
    assert bits(one.net.state_dict()) == bits(three.net.state_dict())


@dataclasses.dataclass(frozen=True, kw_only=True)
class Headed(Branches):
    """A method with a layer of its own, which it makes when it is built."""

    def build(self, nets):
        object.__setattr__(self, "head", torch.nn.Linear(3, 3))

    def modules(self):
        return {"head": self.head}


def test_what_a_method_draws_when_it_is_built_is_of_the_seed(tiny, tmp_path):
    outside = itertools.count()

    def head(seed):
        # whatever the global generator says
        torch.manual_seed(next(outside))
        run = advkd.resolve(*tiny, "preset=rslad", f"seed={seed}")
        method = Headed(branches=run.method.branches)
        splits = split(run.data, run.split)
        nets = {name: run.student(splits.classes, splits.shape) for name in ("student", "teacher")}
        setup = Setup(
            nets=nets,
            train=splits.train,
            validation=splits.validation,
            folder=tmp_path,
            report=lambda record: None,
            about={},
        )
        return Training(dataclasses.replace(run, method=method), setup).method.head.weight

    with torch.random.fork_rng():
        assert torch.equal(head(0), head(0))
        assert not torch.equal(head(0), head(1))


def test_deterministic_kernels_are_asked_for_from_the_teacher_to_the_last_validation(
    tiny, tmp_path, monkeypatch
):
    """On a CPU they make no other bits; what a GPU does with them cannot be seen here."""
    words, asked = (*tiny, "preset=path-dual"), {}
    # what a caller may have on, and what picks another kernel every time
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    for word in ("false", "true"):
        seen: set[tuple[bool, bool]] = set()

        def look(record, seen=seen):
            seen.add((torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark))

        run = advkd.resolve(*words, f"deterministic={word}")
        net = advkd.train(run, out=tmp_path / word, reporters=[look]).net
        asked[word] = seen, run.hash, bits(net.state_dict())
        assert not torch.are_deterministic_algorithms_enabled()
        assert torch.backends.cudnn.benchmark
    assert asked["true"] == ({(True, False)}, *asked["false"][1:])
    assert asked["false"][0] == {(False, True)}


def test_another_seed_other_bits(tiny, tmp_path):
    one, two = (
        advkd.train(advkd.resolve(*tiny, "preset=standard", f"seed={seed}"), out=tmp_path / str(seed))
        for seed in (0, 1)
    )
    assert bits(one.net.state_dict()) != bits(two.net.state_dict())


def seen_by(preset, tiny, folder, monkeypatch):
    """Digests of every batch a method is given, and of the student it starts from."""
    found = []
    for cls in (Branches, Mart):
        right = cls.paths

        def paths(self, batch, step, right=right):
            if not found:
                found.append(bits(step.nets["student"].state_dict()))
            found.append(hashlib.sha256(batch.x.numpy().tobytes() + batch.y.numpy().tobytes()).hexdigest())
            return right(self, batch, step)

        monkeypatch.setattr(cls, "paths", paths)
    words = (*tiny, f"preset={preset}", "epochs=2", "augment={crop: 1, flip: true}")
    run = advkd.resolve(*words)
    if run.teacher is not None and run.nets:
        teacher = advkd.train(
            advkd.resolve(*words, "preset=standard", "epochs=8"), out=folder / f"t-{preset}"
        ).net
        found.clear()
        advkd.train(run, teacher=teacher, out=folder / preset)
    else:
        advkd.train(run, out=folder / preset)
    monkeypatch.undo()
    return found


def test_two_methods_of_one_seed_meet_the_same(tiny, tmp_path, monkeypatch):
    wanted = seen_by("standard", tiny, tmp_path, monkeypatch)
    assert len(set(wanted[1:])) == len(wanted) - 1 == 2 * 8
    for preset in ("path-dual", "trades", "mart"):
        assert seen_by(preset, tiny, tmp_path, monkeypatch) == wanted


def test_attack_noise_of_a_branch_does_not_depend_on_the_others(tiny):
    run = advkd.resolve(*tiny, "preset=path-dual")
    alone = advkd.resolve(*tiny, "preset=path-single")
    from advkd.step import Step
    from advkd.streams import streams
    from advkd.types import Batch

    net = run.student(10, (1, 8, 8))
    batch = Batch(torch.rand(8, 1, 8, 8), torch.arange(8))
    ends = []
    for method in (run.method, alone.method):
        step = Step(nets={"student": net, "teacher": net}, threat=run.threat, streams=streams(3))
        ends.append(method.paths(batch, step)["untargeted"].x)
    assert torch.equal(*ends)
