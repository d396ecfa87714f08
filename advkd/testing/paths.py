"""What path samplers promise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy as ce

from advkd.guards import wrong_start
from advkd.networks.modes import evaluating, logits_of
from advkd.protocols import PathSampler, Walk
from advkd.step import Step
from advkd.testing.checks import check, require
from advkd.testing.parts import CLASSES, batch, changed, on_meta, on_one_device, state, step
from advkd.types import Batch, Path
from advkd.walk import Recorder, value_and_gradient, walked


def walk_of(here: Step) -> Walk:
    """Three sign steps on the cross-entropy of the student: away from the label, toward a goal if given."""
    student = here.nets["student"]
    recorder = Recorder(student)

    def points(x: Tensor, y: Tensor, goal: Tensor | None) -> Iterator[Tensor]:
        aim, sign = (y, 1) if goal is None else (goal, -1)
        yield (at := x)
        for _ in range(3):
            _, gradient = value_and_gradient(lambda z: sign * ce(recorder(z), aim, reduction="none"), at)
            yield (at := here.threat.project(at + here.threat.eps / 2 * gradient.sign(), x))

    def walk(x: Tensor, y: Tensor, goal: Tensor | None = None) -> Path:
        with evaluating(student):
            return walked(points(x, y, goal), recorder, y, goal)

    return walk


def sampled(sampler: PathSampler, of: Batch | None = None, here: Step | None = None) -> Path | None:
    """What a sampler makes of a batch."""
    here = here or surroundings(sampler, "teacher")
    path = sampler(walk_of(here), of or batch(), here)
    require(isinstance(path, Path | None), f"it gives a {type(path).__name__} instead of a Path, or None")
    return path


def path_of(sampler: PathSampler) -> Path:
    """The path of a batch of several classes, which every sampler walks."""
    path = sampled(sampler)
    require(path is not None, "a batch of five classes was skipped")
    assert path is not None
    return path


def surroundings(sampler: Any, *more: str) -> Step:
    """A step with the student, the networks a sampler declares in `nets`, and those called `more`."""
    return step(tuple(net for net in (*getattr(sampler, "nets", ()), *more) if net != "student"))


def has_goals(sampler: Any) -> bool:
    """Whether a sampler walks toward goals; it does unless `goals` is false."""
    return bool(getattr(sampler, "goals", True))


@check("paths")
def starts_clean(sampler: PathSampler) -> None:
    """Every walk starts from an image of the batch, and its label stays that of the image."""
    require(not (wrong := wrong_start(path_of(sampler), batch())), wrong)


@check("paths")
def shapes_agree(sampler: PathSampler) -> None:
    """A path is (T,B,C,H,W) with labels (B,), T of at least two where the attack has walked."""
    path = path_of(sampler)
    require(path.x.dim() == 5 and path.x.shape[2:] == batch().x.shape[1:], f"x {tuple(path.x.shape)}")
    require(path.y.shape == path.x.shape[1:2], f"y {tuple(path.y.shape)} of x {tuple(path.x.shape)}")
    require(len(path) > 1, "there is no point but the start")


@check("paths")
def keeps_dtype(sampler: PathSampler) -> None:
    """Points have the precision of the images, and classes are integers of the type they came in."""
    path, here = path_of(sampler), batch()
    require(path.x.dtype == here.x.dtype, f"images {here.x.dtype}, points {path.x.dtype}")
    require(path.y.dtype == here.y.dtype, f"classes {here.y.dtype} become {path.y.dtype}")


@check("paths")
def stays_in_threat(sampler: PathSampler) -> None:
    """Every point lies in the ball around its own start, and in the box."""
    path, here = path_of(sampler), surroundings(sampler)
    for k, x in enumerate(path.x):
        far = here.threat.distance(x, path.x[0]).max()
        require(here.threat.holds(x, path.x[0]).all(), f"point {k} is {far:.6g} away or out of the box")


@check("paths")
def points_carry_no_graph(sampler: PathSampler) -> None:
    """Points are plain values: no gradient flows back through the walk."""
    require(not path_of(sampler).x.requires_grad, "the path requires gradient")


@check("paths", lambda sampler: not has_goals(sampler))
def no_goal_where_none_is_declared(sampler: PathSampler) -> None:
    """A sampler with `goals = False` makes paths without a goal."""
    require(path_of(sampler).goal is None, "the path has a goal")


@check("paths", has_goals)
def goals_are_other_classes(sampler: PathSampler) -> None:
    """Every walk has a goal, a class other than its label; say `goals = False` where there is none."""
    path = path_of(sampler)
    require(path.goal is not None, "the path has no goal")
    assert path.goal is not None
    require(path.goal.shape == path.y.shape, f"goal {tuple(path.goal.shape)}, y {tuple(path.y.shape)}")
    require((path.goal != path.y).all(), "a goal is the label of its image")
    known = (path.goal >= 0) & (path.goal < CLASSES)
    require(known.all(), f"goals {path.goal.tolist()} of {CLASSES} classes")


@check("paths")
def kept_logits_are_true(sampler: PathSampler) -> None:
    """Logits kept with a path are what the student says of that very point in eval mode."""
    path, here = path_of(sampler), surroundings(sampler)
    for k, kept in path.logits.items():
        said = logits_of(here.nets["student"], path.x[k])
        require(torch.allclose(kept, said, atol=1e-9), f"point {k} is kept with the logits of another")


@check("paths")
def keeps_device(sampler: PathSampler) -> None:
    """It works on the device of the batch and makes no tensor elsewhere."""
    of, here = batch(), on_meta(surroundings(sampler, "teacher"))

    def points() -> Tensor | None:
        path = sampled(sampler, Batch(of.x.to("meta"), of.y.to("meta")), here)
        return None if path is None else path.x

    on_one_device(points)


@check("paths")
def same_step_same_path(sampler: PathSampler) -> None:
    """All randomness comes from the generators of the step: one step makes one path."""
    paths = []
    for seed in (1, 2):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            paths.append(path_of(sampler))
    one, two = paths
    require(torch.equal(one.x, two.x), "two paths of one step differ")
    goals = [None if path.goal is None else path.goal.tolist() for path in paths]
    require(goals[0] == goals[1], f"two sets of goals of one step: {goals}")


@check("paths")
def one_class_is_walked_or_skipped(sampler: PathSampler) -> None:
    """A batch of one class, or of one image, is walked in part or whole, or skipped; it is no error."""
    here = batch()
    for one in (Batch(here.x, torch.zeros_like(here.y)), Batch(here.x[:1], here.y[:1])):
        path = sampled(sampler, one)
        walks = len(one.y) if path is None else path.x.shape[1]
        require(1 <= walks <= len(one.y), f"{walks} images walk in a batch of {len(one.y)}")


@check("paths")
def reads_declared_nets(sampler: PathSampler) -> None:
    """It asks no network but the student and those it declares in `nets`."""
    try:
        sampled(sampler, here=surroundings(sampler))
    except KeyError as cause:
        require(False, f"it asks for {cause}, nets is {tuple(getattr(sampler, 'nets', ()))}")


@check("paths")
def leaves_no_trace(sampler: PathSampler) -> None:
    """The batch, the networks and the global generators stay as they are."""
    here, given = surroundings(sampler, "teacher"), batch()
    before = state(*here.nets.values())
    sampled(sampler, given, here)
    require(torch.equal(given.x, batch().x) and torch.equal(given.y, batch().y), "it wrote to the batch")
    left = changed(before, state(*here.nets.values()))
    require(not left, f"changed: {left}")
