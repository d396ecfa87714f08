"""Path samplers: who walks, and where to."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from one_step import method_of, step_of
from torch.nn import functional as F
from torch.testing import assert_close

from advkd.config.layers import named
from advkd.paths.targeted import other_class, runner_up, wrong_class
from advkd.streams import streams
from advkd.types import Batch


def test_the_runner_up_is_the_likeliest_wrong_class():
    logits = torch.tensor([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0], [-3.0, -2.0, -1.0]])
    assert runner_up(logits, torch.tensor([0, 1, 2])).tolist() == [1, 0, 1]


def test_a_random_goal_is_any_wrong_class_equally():
    y = torch.arange(4).repeat(2000)
    goal = wrong_class(y, 4, torch.Generator().manual_seed(0))
    assert (goal != y).all()
    counts = torch.bincount((goal - y) % 4, minlength=4)
    assert counts[0] == 0
    assert (counts[1:] - 8000 / 3).abs().max() < 200


def test_anchors_are_met_by_images_of_other_classes_with_replacement():
    y = torch.tensor([0, 0, 0, 1])
    pairs = other_class(y, torch.Generator().manual_seed(0))
    assert pairs[:3].tolist() == [3, 3, 3]
    assert pairs[3] in (0, 1, 2)
    assert other_class(torch.zeros(4), torch.Generator()) is None


def targeted(goal, student, teacher, batch, threat, **more):
    change = {"branches": {"targeted": {"path": {"goal": goal}, "attack": {"step_size": "1/8 eps"}}}}
    step = step_of(student.eval(), teacher, threat, **more)
    return method_of("path-end", change).paths(batch, step)


def test_an_anchored_path_starts_from_another_class(student, teacher, batch, threat):
    path = targeted("anchor", student, teacher, batch, threat)["targeted"]
    assert torch.equal(path.goal, batch.y)
    assert (path.y != path.goal).all()
    for x, y in zip(path.x[0], path.y, strict=True):
        # the label of the walking image stays the truth
        assert any(
            torch.equal(x, other) and y == label for other, label in zip(batch.x, batch.y, strict=True)
        )


def test_the_runner_up_is_the_teachers(student, teacher, batch, threat):
    path = targeted("runner-up", student, teacher, batch, threat)["targeted"]
    assert torch.equal(path.goal, runner_up(teacher(batch.x), batch.y))
    assert torch.equal(path.y, batch.y)


@pytest.mark.parametrize("goal", ["runner-up", "random", "anchor"])
def test_targeted_walks_toward_and_untargeted_away(goal, student, teacher, batch, threat):
    paths = targeted(goal, student, teacher, batch, threat)

    def ce(path, k, classes):
        return F.cross_entropy(student(path.x[k]), classes).item()

    toward, away = paths["targeted"], paths["untargeted"]
    assert ce(toward, -1, toward.goal) < ce(toward, 0, toward.goal) - 0.01
    assert ce(away, -1, away.y) > ce(away, 0, away.y) + 0.01
    for path in paths.values():
        assert len(path) == 11
        assert (path.x - path.x[0]).abs().max() <= threat.eps + 1e-12
        assert path.x.min() >= 0
        assert path.x.max() <= 1


def test_goals_differ_between_steps_and_repeat_within(student, teacher, batch, threat):
    one = targeted("random", student, teacher, batch, threat)["targeted"].goal
    assert torch.equal(one, targeted("random", student, teacher, batch, threat)["targeted"].goal)
    others = [
        targeted("random", student, teacher, batch, threat, index=i)["targeted"].goal for i in range(1, 6)
    ]
    assert any(not torch.equal(one, other) for other in others)


@pytest.mark.parametrize("goal", ["random", "anchor"])
def test_two_targeted_branches_draw_their_own(goal, student, teacher, batch, threat):
    branch = {**named("presets", "path-dual")["method"]["branches"]["targeted"]}
    branch |= {"path": {"use": "targeted", "goal": goal}}
    change = {"branches": {"targeted": branch, "second": branch}}
    paths = method_of("path-dual", change).paths(batch, step_of(student, teacher, threat))
    drawn = [paths[name].goal if goal == "random" else paths[name].x[0] for name in ("targeted", "second")]
    assert not torch.equal(*drawn)


def test_straight_points_lie_evenly_on_the_segment(student, teacher, batch, threat):
    step = step_of(student, teacher, threat)
    walked = method_of("rslad").paths(batch, step)["untargeted"]
    change = {"branches": {"untargeted": {"path": {"use": "straight", "points": 4}}}}
    path = method_of("rslad", change).paths(batch, step)["untargeted"]
    start, end = walked.x[0], walked.x[-1]
    assert torch.equal(path.x[-1], end)
    for k in range(5):
        assert_close(path.x[k], start + k / 4 * (end - start), rtol=0, atol=1e-12)


def test_two_halves_share_the_batch_between_them(student, teacher, batch, threat):
    branches = {**named("presets", "path-dual")["method"]["branches"]}
    for which, name in (("even", "untargeted"), ("odd", "targeted")):
        path = {"use": "half", "path": branches[name]["path"], "which": which}
        branches[name] = branches[name] | {"path": path}
    step = step_of(student, teacher, threat)
    paths = method_of("path-dual", {"branches": branches}).paths(batch, step)
    untargeted, targeted = paths["untargeted"], paths["targeted"]
    assert torch.equal(untargeted.x[0], batch.x[::2])
    assert torch.equal(untargeted.y, batch.y[::2])
    assert torch.equal(targeted.x[0], batch.x[1::2])
    assert torch.equal(targeted.goal, runner_up(teacher(batch.x), batch.y)[1::2])


def test_some_images_are_known_by_their_batch(student, teacher, batch, threat):
    step, rows = step_of(student, teacher, threat), slice(1, None, 3)
    asked = []
    teacher.register_forward_hook(lambda net, x, logits: asked.append(len(logits)))
    some = step.some(step.some(batch, slice(None, None, 1)), rows)
    whole = step.start_logits("teacher", batch.x)
    assert torch.equal(step.start_logits("teacher", some.x.clone()), whole[rows])
    assert asked == [len(batch.x)]


def test_a_network_is_not_asked_of_a_batch_before_somebody_asks(student, teacher, batch, threat):
    asked = []
    step = step_of(student, teacher, threat)
    step = dataclasses.replace(step, clean=lambda net, x: asked.append(net))
    some = step.some(batch, slice(0, None, 2))
    assert not asked
    assert torch.equal(step.start_logits("teacher", some.x), teacher(some.x))


def test_a_batch_too_small_for_a_half_skips_the_branch(student, teacher, batch, threat):
    one = Batch(batch.x[:1], batch.y[:1])
    change = {"branches": {"untargeted": {"path": {"use": "half", "path": "untargeted", "which": "odd"}}}}
    assert method_of("rslad", change).paths(one, step_of(student, teacher, threat))["untargeted"] is None


def test_steps_are_read_only(student, teacher, threat):
    step = step_of(student, teacher, threat)
    with pytest.raises(dataclasses.FrozenInstanceError):
        step.epoch = 3


def test_streams_are_of_their_key_alone():
    one, two, other = (torch.rand(3, generator=streams(0)(*key)) for key in (("a", 1), ("a", 1), ("a", 2)))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
    assert not torch.equal(one, torch.rand(3, generator=streams(1)("a", 1)))
