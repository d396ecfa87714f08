"""What model sources promise."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from advkd.errors import AdvkdError
from advkd.protocols import ModelSource
from advkd.testing.checks import check, require
from advkd.testing.parts import changed, generator, state
from advkd.types import Shape

SIZES: tuple[tuple[int, Shape], ...] = (
    (7, (1, 8, 8)),
    (7, (3, 32, 32)),
    (10, (1, 8, 8)),
    (10, (3, 32, 32)),
    (100, (3, 32, 32)),
    (1000, (3, 224, 224)),
)
"""Classes and shapes that are tried; a source may refuse some of them, by an `AdvkdError`."""


def made(source: ModelSource, seed: int = 0) -> tuple[nn.Module, int, Shape]:
    """A network for the first size that the source takes."""
    refusals = []
    for classes, shape in SIZES:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            try:
                net = source(classes, shape)
                require(isinstance(net, nn.Module), f"it gives a {type(net).__name__}, not a network")
                return net, classes, shape
            except AdvkdError as cause:
                refusals.append(f"{classes} classes, {shape}: {cause}")
    require(False, "it refuses every size:\n" + "\n".join(refusals))
    raise AssertionError


def pixels(shape: Shape, n: int = 2, seed: int = 4) -> Tensor:
    """Random images in [0,1]."""
    return torch.rand(n, *shape, generator=generator(seed))


def answer(net: nn.Module, x: Tensor) -> Tensor:
    """What a network says in eval mode."""
    with torch.no_grad():
        said: Tensor = net.eval()(x)
    return said


@check("models")
def answers_with_logits(source: ModelSource) -> None:
    """Images (B,C,H,W) become logits (B,N), finite, and not probabilities."""
    net, classes, shape = made(source)
    logits = answer(net, pixels(shape))
    require(logits.shape == (2, classes), f"shape {tuple(logits.shape)} instead of {(2, classes)}")
    require(logits.isfinite().all(), "a logit is not finite")
    summed = logits.sum(1)
    bounded = bool((logits >= 0).all()) and torch.allclose(summed, torch.ones_like(summed), atol=1e-5)
    require(not bounded, "they are probabilities: leave the softmax to the losses")


@check("models")
def takes_each_size_or_says_why(source: ModelSource) -> None:
    """It makes a network for the classes and the shape it is asked for, or refuses with an AdvkdError."""
    _, classes, shape = made(source)
    for asked, size in ((classes, shape), (3, shape), (7, (3, 32, 32))):
        try:
            net = source(asked, size)
        except AdvkdError:
            continue
        found = answer(net, pixels(size)).shape[1]
        require(found == asked, f"asked for {asked} classes of {size}, it answers with {found}")


@check("models")
def gradients_reach_everything(source: ModelSource) -> None:
    """Gradients reach the pixels and every parameter that asks for one."""
    net, _, shape = made(source)
    x = pixels(shape).requires_grad_()
    net.train()(x).logsumexp(1).sum().backward()
    require(x.grad is not None and x.grad.any(), "no gradient reaches the pixels")
    cut = [name for name, p in net.named_parameters() if p.requires_grad and p.grad is None]
    require(not cut, f"no gradient reaches {', '.join(cut[:5])}")
    require(any(p.requires_grad for p in net.parameters()), "it has no parameter to train")


@check("models")
def eval_mode_is_steady(source: ModelSource) -> None:
    """In eval mode the same image gets the same logits, and nothing in the network moves."""
    net, _, shape = made(source)
    net.eval()
    x, before = pixels(shape), state(net)
    one, two = answer(net, x), answer(net, x)
    require(torch.equal(one, two), "two answers to one image differ")
    require(not (left := changed(before, state(net))), f"changed: {left}")


@check("models")
def neighbours_do_not_matter(source: ModelSource) -> None:
    """In eval mode the logits of an image do not depend on the others in its batch."""
    net, _, shape = made(source)
    x = pixels(shape)
    gap = (answer(net, x)[:1] - answer(net, x[:1])).abs().max()
    require(gap < 1e-3, f"alone they differ by {gap:.3g}")


@check("models")
def each_call_makes_a_new_network(source: ModelSource) -> None:
    """Two networks of one source share no parameter."""
    (one, classes, shape), two = made(source), None
    two = source(classes, shape)
    shared = {p.data_ptr() for p in one.parameters()} & {p.data_ptr() for p in two.parameters()}
    require(not shared, f"{len(shared)} parameters are shared")


@check("models")
def same_seed_same_weights(source: ModelSource) -> None:
    """Initial weights come from torch's global generator alone, which a run seeds."""
    one, two = (made(source)[0] for _ in "ab")
    left = changed(state(one), state(two))
    require(not left, f"two networks of one seed differ in: {left}")


@check("models")
def weights_say_it_all(source: ModelSource) -> None:
    """A network that is given the saved weights of another one answers as that does."""
    (one, _, shape), (two, *_) = made(source, 0), made(source, 1)
    two.load_state_dict(copy.deepcopy(one.state_dict()))
    gap = (answer(one, pixels(shape)) - answer(two, pixels(shape))).abs().max()
    require(gap < 1e-5, f"answers differ by {gap:.3g}: something is neither parameter nor buffer")


@check("models")
def can_be_copied(source: ModelSource) -> None:
    """A deep copy answers as the network does; attacks are run on one."""
    net, _, shape = made(source)
    gap = (answer(net, pixels(shape)) - answer(copy.deepcopy(net), pixels(shape))).abs().max()
    require(gap == 0, f"answers differ by {gap:.3g}")


@check("models")
def pixels_not_written(source: ModelSource) -> None:
    """The images a network is given stay as they are."""
    net, _, shape = made(source)
    x = pixels(shape)
    answer(net, x)
    require(torch.equal(x, pixels(shape)), "they were written to")
