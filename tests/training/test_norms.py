"""A branch with BatchNorm of its own runs as every other: behind the engine, and counted."""

from __future__ import annotations

import pytest
import torch

import advkd
from advkd.config.build import member
from advkd.methods.norms import OwnNorms
from advkd.networks.engine import Engine, Fast
from advkd.training import checkpoint

PASSES = ("student_forwards", "student_backwards", "teacher_forwards")


def test_its_passes_are_counted(tiny, tmp_path):
    words = (*tiny, "preset=path-dual", "epochs=1")
    costs = [
        advkd.train(advkd.resolve(*words, f"method.branch_bn={bn}", "precision=bf16"), out=tmp_path / bn).cost
        for bn in ("shared", "split")
    ]
    assert [costs[0][name] for name in PASSES] == [costs[1][name] for name in PASSES]


def test_it_is_trained(tiny, tmp_path):
    run = advkd.resolve(*tiny, "preset=path-end", "method.branch_bn=split", "epochs=1")
    moved, save = {}, checkpoint.save

    def saved(path, modules, *rest):
        moved.update({name: module for name, module in modules.items() if name.startswith("method.")})
        save(path, modules, *rest)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(checkpoint, "save", saved)
        advkd.train(run, out=tmp_path / "run")
    (norms,) = moved.values()
    with torch.no_grad():
        weights = [p for name, p in norms.named_parameters() if name.endswith("weight")]
        assert weights
        assert all((weight != 1).any() for weight in weights)


def test_it_runs_behind_the_engine_in_the_students_mode_and_shares_its_weights():
    student = Fast(member("models", "tiny-cnn", "student")[0](10, (1, 8, 8)), Engine(bf16=True))
    own = OwnNorms(student.net)
    for training in (True, False):
        seen = own.seen(student.train(training))
        assert seen.engine == student.engine
        assert {module.training for module in seen.modules()} == {training}
        assert own.seen(student) is seen
    theirs = {t.data_ptr() for t in student.net.parameters()}
    assert {t.data_ptr() for t in seen.net.parameters()} - theirs == {t.data_ptr() for t in own.parameters()}


class Grey(torch.nn.Module):
    """One filter of one number in front, whose layout in memory is ambiguous."""

    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(1, 1, 1), torch.nn.BatchNorm2d(1), torch.nn.Flatten(), torch.nn.Linear(64, 10)
        )

    def forward(self, x):
        return self.layers(x)


def test_filters_of_one_number_are_shared_too(tiny, tmp_path):
    run = advkd.resolve(*tiny, "preset=path-end", "method.branch_bn=split", "epochs=1")
    assert advkd.train(run, student=Grey(), out=tmp_path / "run").n
