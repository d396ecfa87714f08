"""What weightings promise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace

import torch
from torch import Tensor

from advkd.errors import AdvkdError
from advkd.protocols import Weighting, points_of
from advkd.testing.checks import check, require
from advkd.testing.parts import changed, generator, on_meta, on_one_device, small_net, state
from advkd.testing.scenes import SCENES, B, Scene, named
from advkd.types import Path
from advkd.view import View


def seen(weighting: Weighting) -> Iterator[tuple[Scene, Tensor]]:
    """Usual scenes: with and without a goal, early and late in training."""
    return ((scene, scene(weighting)) for scene in SCENES)


@check("weightings")
def shape(weighting: Weighting) -> None:
    """Weights have shape (T,B): one for every point and sample."""
    for scene, weights in seen(weighting):
        wanted = (scene.t, B)
        require(weights.shape == wanted, f"{scene}: {tuple(weights.shape)} instead of {wanted}")


@check("weightings")
def finite(weighting: Weighting) -> None:
    """Weights are finite."""
    for scene, weights in seen(weighting):
        require(weights.isfinite().all(), f"{scene}: {(~weights.isfinite()).sum()} are not")


@check("weightings")
def non_negative(weighting: Weighting) -> None:
    """Weights are not negative."""
    for scene, weights in seen(weighting):
        require((weights >= 0).all(), f"{scene}: the smallest is {weights.min():.6g}")


@check("weightings")
def weighs_something(weighting: Weighting) -> None:
    """In some usual scene some point has a weight above zero: a term that counts nothing trains nothing."""
    require(any(weights.any() for _, weights in seen(weighting)), "all weights of all scenes are zero")


@check("weightings")
def no_gradient(weighting: Weighting) -> None:
    """Weights carry no gradient."""
    here = Scene()
    step = replace(here.step(()), nets={n: small_net() for n in named(weighting, "student", "teacher")})
    weights = weighting(View(here.path, step), step)
    require(not weights.requires_grad, "they require gradient")


@check("weightings")
def permutation_equivariant(weighting: Weighting) -> None:
    """Samples in another order get the same weights in that order."""
    turn = torch.randperm(B, generator=generator())
    for scene, weights in seen(weighting):
        path = scene.path
        goal = None if path.goal is None else path.goal[turn]
        turned = scene(weighting, Path(path.x[:, turn], path.y[turn], goal))
        close = torch.allclose(weights[:, turn], turned, atol=1e-9)
        require(close, f"{scene}: weights of reordered samples differ")


@check("weightings")
def neighbours_do_not_matter(weighting: Weighting) -> None:
    """The weights of a sample are its own, whatever else is in the batch; the term normalises."""
    for scene, weights in seen(weighting):
        path = scene.path
        goal = None if path.goal is None else path.goal[:2]
        alone = scene(weighting, Path(path.x[:, :2], path.y[:2], goal))
        require(torch.allclose(weights[:, :2], alone, atol=1e-9), f"{scene}: they change with other samples")


@check("weightings")
def one_point(weighting: Weighting) -> None:
    """A path of one point, the clean image alone, gets finite weights too."""
    for goal in (False, True):
        weights = Scene(t=1, goal=goal)(weighting)
        require(weights.shape == (1, B), f"shape {tuple(weights.shape)} instead of {(1, B)}")
        require(weights.isfinite().all() and (weights >= 0).all(), f"weights {weights.tolist()}")


@check("weightings")
def extreme_logits(weighting: Weighting) -> None:
    """Weights stay finite and not negative where networks are certain, and where all logits are equal."""
    for loud in (1e4, -1e4, 0.0):
        for dtype in (torch.float32, torch.float64):
            for goal in (False, True):
                weights = Scene(goal=goal, loud=loud, dtype=dtype)(weighting)
                good = weights.isfinite().all() and (weights >= 0).all()
                require(good, f"logits times {loud:g}, {dtype}: {weights.min():.3g} to {weights.max():.3g}")


@check("weightings", lambda weighting: hasattr(weighting, "points"))
def zero_elsewhere(weighting: Weighting) -> None:
    """Weights are zero at every index that is not among the declared `points(T)`."""
    for scene, weights in seen(weighting):
        limit = points_of(weighting, scene.t) or ()
        outside = [k for k in range(scene.t) if k not in limit]
        require(not weights[outside].any(), f"{scene}: weights outside {limit}: {weights[outside].tolist()}")


@check("weightings", lambda weighting: hasattr(weighting, "points"))
def points_lie_on_the_path(weighting: Weighting) -> None:
    """The declared `points(T)` are indices from 0 to T - 1, each once, for every T."""
    for t in range(1, 7):
        found = points_of(weighting, t) or ()
        right = set(found) <= set(range(t)) and len(set(found)) == len(found)
        require(right, f"points({t}) is {found}")


@check("weightings")
def reads_declared_nets(weighting: Weighting) -> None:
    """It reads no network but the student and those it declares in `nets`."""
    here = Scene()
    step = here.step(named(weighting, "student"))
    try:
        weighting(View(here.path, step), step)
    except (KeyError, AdvkdError) as cause:
        require(False, f"nets is {tuple(getattr(weighting, 'nets', ()))}, and it asks for another. {cause}")


@check("weightings", is_dataclass)
def nets_is_no_option(weighting: Weighting) -> None:
    """The networks a weighting reads are its own affair: a user cannot set `nets`."""
    names = [field.name for field in fields(weighting)]  # type: ignore[arg-type]
    require("nets" not in names, "nets is a field; write a ClassVar or a property")


@check("weightings")
def keeps_dtype(weighting: Weighting) -> None:
    """Weights have the precision of the images, float32 or float64."""
    for dtype in (torch.float32, torch.float64):
        found = Scene(dtype=dtype)(weighting).dtype
        require(found == dtype, f"{dtype} becomes {found}")


@check("weightings")
def keeps_device(weighting: Weighting) -> None:
    """It works on the device of the path and makes no tensor elsewhere."""
    here = Scene(goal=True)
    path, step = here.path, on_meta(here.step(named(weighting, "student", "teacher")))
    assert path.goal is not None
    there = Path(path.x.to("meta"), path.y.to("meta"), path.goal.to("meta"))
    on_one_device(lambda: weighting(View(there, step), step))


@check("weightings")
def keeps_answers(weighting: Weighting) -> None:
    """The logits it reads along the path stay as they are: other terms read the same ones."""
    here = Scene(goal=True)
    names = named(weighting, "student", "teacher")
    path, step = here.path, here.step(names)
    read = {(net, k): View(path, step).at(net, k) for net in names for k in range(here.t)}
    before = {place: logits.clone() for place, logits in read.items()}
    weighting(View(path, step), step)
    wrote = [f"{net} at {k}" for (net, k), logits in read.items() if not torch.equal(logits, before[net, k])]
    require(not wrote, f"it wrote to the logits of {', '.join(wrote)}; write to a clone")


@check("weightings")
def leaves_no_trace(weighting: Weighting) -> None:
    """The path, the networks and the global generators stay as they are."""
    here = Scene(goal=True)
    step = replace(here.step(()), nets={n: small_net() for n in named(weighting, "student", "teacher")})
    path, before = here.path, state(*step.nets.values())
    weighting(View(path, step), step)
    require(torch.equal(path.x, here.path.x), "it wrote to the path")
    left = changed(before, state(*step.nets.values()))
    require(not left, f"changed: {left}")
