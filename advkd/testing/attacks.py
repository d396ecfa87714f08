"""What attacks promise."""

from __future__ import annotations

import torch
from torch import Tensor

from advkd.errors import AdvkdError
from advkd.protocols import Attack
from advkd.testing.checks import check, require
from advkd.testing.parts import EPS, generator, images, on_one_device
from advkd.testing.walks import NORMS, anywhere, curved, is_deterministic, linear, norms_of, traces, walk
from advkd.types import Threat

REACHED = 0.95
"""Share of the best possible increase that counts as the optimum: in l2 a walk closes in on it."""


@check("attacks")
def starts_at_input(attack: Attack) -> None:
    """The first point is the clean image itself; start noise is no point of the path."""
    for norm, x, points in anywhere(attack):
        require(torch.equal(points[0], x), f"{norm}: it begins {(points[0] - x).abs().max():.3g} away")


@check("attacks")
def one_point_per_step(attack: Attack) -> None:
    """A walk of K steps yields T = K + 1 points, whatever it walks on."""
    wanted = getattr(attack, "steps", None)
    lengths = {len(points) for _, _, points in anywhere(attack)}
    lengths.add(len(walk(attack, lambda x: x.flatten(1).sum(1) * 0, images(2, 1, 4, 4), norms_of(attack)[0])))
    require(len(lengths) == 1, f"lengths {sorted(lengths)}")
    require(min(lengths) > 1, "it yields no point but the start")
    require(wanted is None or lengths == {wanted + 1}, f"steps is {wanted}, there are {min(lengths)} points")


@check("attacks")
def stays_in_ball(attack: Attack) -> None:
    """Every point lies within eps of the start, in each norm the attack walks in."""
    for norm, x, points in anywhere(attack):
        threat = Threat(norm=norm, eps=EPS, box=(-9, 9))
        for k, point in enumerate(points):
            far = threat.distance(point, x).max()
            require(threat.holds(point, x).all(), f"{norm}: point {k} is {far:.6g} away, eps is {EPS}")


@check("attacks")
def stays_in_box(attack: Attack) -> None:
    """Every pixel of every point lies in the box of the threat."""
    for norm, _, points in anywhere(attack):
        for k, point in enumerate(points):
            low, high = point.min().item(), point.max().item()
            require(low >= 0 and high <= 1, f"{norm}: pixels of point {k} go from {low:.6g} to {high:.6g}")


@check("attacks")
def asks_inside_the_threat(attack: Attack) -> None:
    """What it asks the objective about besides its points, start noise first of all, lies in ball and box."""
    x = images(3, 1, 5, 5).round()
    for norm in norms_of(attack):
        threat = Threat(norm=norm, eps=EPS)
        asked: list[Tensor] = []

        def noted(at: Tensor, asked: list[Tensor] = asked) -> Tensor:
            asked.append(at.detach().clone())
            return curved(at)

        points = list(attack(noted, x, threat, generator()))
        for k, at in enumerate(asked):
            own = any(torch.equal(at, point) for point in points)
            far = threat.distance(at, x).max()
            told = (
                f"{norm}: question {k} is about images {far:.6g} away, from {at.min():.3g} to {at.max():.3g}"
            )
            require(own or threat.holds(at, x).all(), told)


@check("attacks")
def points_carry_no_graph(attack: Attack) -> None:
    """Points are plain values: no gradient flows back through the walk."""
    points = attack(curved, images(2, 1, 4, 4), Threat(norm=norms_of(attack)[0], eps=EPS), generator())
    require(not any(point.requires_grad for point in points), "a point requires gradient")


@check("attacks")
def input_not_written(attack: Attack) -> None:
    """The images an attack is given stay as they are."""
    for norm in norms_of(attack):
        x = images(3, 1, 5, 5)
        list(attack(curved, x, Threat(norm=norm, eps=EPS), generator()))
        require(torch.equal(x, images(3, 1, 5, 5)), f"{norm}: the start was written to")


@check("attacks")
def leaves_no_trace(attack: Attack) -> None:
    """Modes, buffers, parameter gradients and the global generators are left as they were found."""
    require(not (left := traces(attack)), f"changed: {left}")


@check("attacks")
def leaves_no_trace_of_a_failure(attack: Attack) -> None:
    """State is left as found even when the objective raises in the middle of a walk."""
    for call in (1, 2):
        require(not (left := traces(attack, fails_at=call)), f"changed when call {call} fails: {left}")


@check("attacks")
def same_seed_same_path(attack: Attack) -> None:
    """All randomness comes from the generator: the same seed makes the same path."""
    x, norm = images(3, 1, 5, 5), norms_of(attack)[0]
    paths = []
    for seed in (1, 2):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            paths.append(walk(attack, curved, x, norm))
    require(all(map(torch.equal, *paths)), "two walks with one seed differ")


@check("attacks")
def batch_order_irrelevant(attack: Attack) -> None:
    """Without start noise, samples in another order walk the same paths in that order."""
    if not is_deterministic(attack):
        return
    x, w, turn = images(4, 1, 5, 5), images(4, 1, 5, 5, low=-1, seed=5), torch.tensor([2, 0, 3, 1])
    for norm in norms_of(attack):
        straight, turned = (walk(attack, linear(w[r]), x[r], norm) for r in (torch.arange(4), turn))
        close = all(torch.allclose(a[turn], b, atol=1e-12) for a, b in zip(straight, turned, strict=True))
        require(close, f"{norm}: the paths of reordered samples differ")


@check("attacks")
def neighbours_do_not_matter(attack: Attack) -> None:
    """The path of a sample is its own, whatever else is in the batch."""
    x, other, louder = images(4, 1, 5, 5), images(4, 1, 5, 5, seed=8), torch.tensor([1, 1, 3, 3])
    other[:2] = x[:2]
    for norm in norms_of(attack):
        one, two = walk(attack, curved, x, norm), walk(attack, lambda at: louder * curved(at), other, norm)
        close = all(torch.allclose(a[:2], b[:2], atol=1e-9) for a, b in zip(one, two, strict=True))
        require(close, f"{norm}: a path changes with the other samples")


@check("attacks")
def batch_of_one(attack: Attack) -> None:
    """A single image is walked like any other batch."""
    points = walk(attack, curved, images(1, 1, 5, 5), norms_of(attack)[0])
    require({tuple(p.shape) for p in points} == {(1, 1, 5, 5)}, f"shapes {[tuple(p.shape) for p in points]}")


@check("attacks")
def any_rank(attack: Attack) -> None:
    """Samples may be vectors, images or volumes; points keep their shape."""
    for shape in ((3, 8), (3, 4, 4), (3, 1, 4, 4), (3, 2, 2, 3, 3)):
        for norm in norms_of(attack):
            for point in walk(attack, curved, images(*shape), norm):
                require(point.shape == shape, f"{norm}: {shape} becomes {tuple(point.shape)}")


@check("attacks")
def keeps_dtype(attack: Attack) -> None:
    """Points have the precision of the start, float32 or float64."""
    for dtype in (torch.float32, torch.float64):
        for norm in norms_of(attack):
            found = {p.dtype for p in walk(attack, curved, images(2, 1, 4, 4).to(dtype), norm)}
            require(found == {dtype}, f"{norm}: {dtype} becomes {found}")


@check("attacks")
def keeps_device(attack: Attack) -> None:
    """It works on the device of the start and makes no tensor elsewhere."""
    for norm in norms_of(attack):
        on_one_device(lambda: walk(attack, curved, images(2, 1, 4, 4).to("meta"), norm)[-1])  # noqa: B023


@check("attacks")
def reaches_linear_optimum(attack: Attack) -> None:
    """On a linear objective the walk ends at its optimum: x + eps sign(w), in l2 x + eps w/|w|."""
    x, w = images(4, 1, 5, 5, low=0.3, high=0.7), images(4, 1, 5, 5, low=-1, seed=5)
    best = {"linf": EPS * w.abs().flatten(1).sum(1), "l2": EPS * w.flatten(1).norm(dim=1)}
    for norm in norms_of(attack):
        end = walk(attack, linear(w), x, norm)[-1]
        share = (linear(w)(end - x) / best[norm]).min().item()
        require(share >= REACHED, f"{norm}: it reaches {share:.3f} of the possible increase")


@check("attacks", lambda attack: "linf" in norms_of(attack))
def reaches_the_corner_of_the_box(attack: Attack) -> None:
    """Where the box is in the way the end is the clipped optimum: pixels at its edge keep their gradient."""
    x, w = images(4, 1, 5, 5, low=-0.5, high=1.5).clamp(0, 1), images(1, 1, 5, 5, low=-1, seed=5)
    best = (x + EPS * w.sign()).clamp(0, 1)
    end = walk(attack, linear(w), x)[-1]
    share = (linear(w)(end - x) / linear(w)(best - x)).min().item()
    require(share >= REACHED, f"it reaches {share:.3f} of the possible increase")


@check("attacks")
def finite_without_gradient(attack: Attack) -> None:
    """Where the objective is flat, points stay finite."""
    for norm in norms_of(attack):
        points = walk(attack, lambda x: x.flatten(1).sum(1) * 0, images(2, 1, 4, 4), norm)
        require(all(point.isfinite().all() for point in points), f"{norm}: a point is not finite")


@check("attacks", lambda attack: set(norms_of(attack)) < set(NORMS))
def refuses_other_norms(attack: Attack) -> None:
    """In a norm it does not declare, an attack raises an AdvkdError instead of walking."""
    for norm in set(NORMS) - set(norms_of(attack)):
        try:
            walk(attack, curved, images(2, 1, 4, 4), norm)
        except AdvkdError:
            continue
        require(False, f"it walks in {norm}")
