"""What evaluators promise."""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Callable
from typing import Any, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from advkd.evaluation import check_in_threat
from advkd.networks.cost import Cost
from advkd.outcome import Outcome
from advkd.protocols import Evaluator, Kind, Knowledge
from advkd.testing.checks import check, require
from advkd.testing.parts import changed, generator, images, small_net, state, undecided
from advkd.testing.walks import norms_of
from advkd.types import Batch, Threat

EPS = {"linf": 0.1, "l2": 0.6}
REACH = 0.25
"""How far an image of the linear task is from an error at most, as a share of eps."""


class Judged(nn.Module):
    """A network that counts its calls and fails at one of them."""

    def __init__(self, net: nn.Module, fails_at: int = 0) -> None:
        super().__init__()
        self.net, self.fails_at, self.calls = net, fails_at, 0

    def forward(self, x: Tensor) -> Tensor:
        """(B,C,H,W) to (B,N)."""
        self.calls += 1
        if self.calls == self.fails_at:
            raise RuntimeError("the network failed")
        answer: Tensor = self.net(x)
        return answer


class Louder(nn.Module):
    """Logits times 30."""

    def forward(self, logits: Tensor) -> Tensor:
        """(B,N) to (B,N)."""
        return 30 * logits


def surer(net: nn.Module) -> nn.Module:
    """A copy of a network that is nearly certain, as a teacher is. It counts for itself."""
    copied = copy.deepcopy(net).eval()
    for module in copied.modules():
        module._forward_hooks.clear()
    return nn.Sequential(copied, Louder())


def task(seed: int = 4) -> tuple[nn.Module, Batch]:
    """A network of five classes, in eval mode, and images it gets right, all but the last."""
    net = small_net(6, seed=seed).float().eval()
    x = images(6, 1, 6, 6).float()
    undecided(net, x)
    with torch.no_grad():
        y = net(x).argmax(1)
    y[-1] = (y[-1] + 1) % 5
    return net, Batch(x, y)


def attacked(
    evaluator: Any,
    net: nn.Module,
    batch: Batch,
    norm: Any = "linf",
    *,
    seed: int = 0,
    memo: Callable[..., Tensor] | None = None,
) -> Outcome:
    """What an evaluator makes of a batch; the other networks it asks for are surer copies of `net`."""
    taken = inspect.signature(evaluator.__call__).parameters
    others = {name: surer(net) for name in getattr(evaluator, "nets", ())}
    more: dict[str, Any] = {"nets": others} if "nets" in taken else {}
    more |= {"memo": memo} if memo else {}
    with warnings.catch_warnings():
        # of code of others, on very small networks
        warnings.simplefilter("ignore")
        found: Outcome = evaluator(net, batch, Threat(norm=norm, eps=EPS[norm]), generator(seed), **more)
    require(isinstance(found, Outcome), f"it returns a {type(found).__name__}, not an Outcome")
    require(isinstance(found.x, Tensor), f"its Outcome holds a {type(found.x).__name__}, not a tensor")
    return found


def traces(evaluator: Evaluator, fails_at: int = 0) -> str:
    """What an evaluator leaves changed behind it, in words."""
    inner, batch = task()
    inner.train()
    list(inner.children())[1].eval()
    for parameter in inner.parameters():
        parameter.grad = torch.ones_like(parameter)
    net = Judged(inner, fails_at)
    before = state(net)
    try:
        attacked(evaluator, net, batch, norms_of(evaluator)[0])
    except Exception as cause:
        if not fails_at or "the network failed" not in f"{cause} {cause.__cause__}":
            raise
    return changed(before, state(net))


@check("evaluators")
def declares_what_it_is(evaluator: Any) -> None:
    """`kind` and `knowledge`, and where given `whole`, `exact` and `named`, say what the contract asks."""
    require(evaluator.kind in get_args(Kind), f"kind is {evaluator.kind!r}, not one of {get_args(Kind)}")
    known = get_args(Knowledge)
    require(evaluator.knowledge in known, f"knowledge is {evaluator.knowledge!r}, not one of {known}")
    for name in ("whole", "exact"):
        value = getattr(evaluator, name, False)
        require(isinstance(value, bool), f"{name} is {value!r}, not true or false")
    if hasattr(evaluator, "named"):
        require(isinstance(evaluator.named(10), str), f"named(10) is {evaluator.named(10)!r}, not a name")


@check("evaluators")
def keeps_shape_and_dtype(evaluator: Evaluator) -> None:
    """The outcome is an image of the given shape and precision for each of the batch, without gradient."""
    net, batch = task()
    for size in (len(batch.y), 1):
        part = Batch(batch.x[:size], batch.y[:size])
        outcome = attacked(evaluator, net, part, norms_of(evaluator)[0])
        require(outcome.x.shape == part.x.shape, f"{tuple(part.x.shape)} becomes {tuple(outcome.x.shape)}")
        require(outcome.x.dtype == part.x.dtype, f"{part.x.dtype} becomes {outcome.x.dtype}")
        require(not outcome.x.requires_grad, "the outcome requires gradient")


@check("evaluators")
def stays_in_threat(evaluator: Evaluator) -> None:
    """Every image lies in the ball around its start and in the box, in each norm."""
    net, batch = task()
    for norm in norms_of(evaluator):
        outcome = attacked(evaluator, net, batch, norm)
        check_in_threat(outcome.x, batch.x, Threat(norm=norm, eps=EPS[norm]), norm)


@check("evaluators")
def batch_not_written(evaluator: Evaluator) -> None:
    """The images and labels it is given stay as they are."""
    net, batch = task()
    attacked(evaluator, net, batch, norms_of(evaluator)[0])
    _, fresh = task()
    require(torch.equal(batch.x, fresh.x), "the images were written to")
    require(torch.equal(batch.y, fresh.y), "the labels were written to")


@check("evaluators")
def leaves_no_trace(evaluator: Evaluator) -> None:
    """Modes, buffers, parameters, their gradients and the global generators are left as found."""
    require(not (left := traces(evaluator)), f"changed: {left}")


@check("evaluators")
def leaves_no_trace_of_a_failure(evaluator: Evaluator) -> None:
    """State is left as found even when the network raises in the middle of an attack."""
    for call in (1, 2, 3):
        require(not (left := traces(evaluator, call)), f"changed when call {call} fails: {left}")


@check("evaluators")
def same_seed_same_outcome(evaluator: Evaluator) -> None:
    """All randomness comes from the generator: the same seed makes the same images."""
    found = []
    for seed in (1, 2):
        net, batch = task()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            found.append(attacked(evaluator, net, batch, norms_of(evaluator)[0]).x)
    require(torch.equal(*found), "two outcomes with one seed differ")


@check("evaluators", lambda evaluator: evaluator.knowledge == "white-box")
def finds_what_is_near(evaluator: Evaluator) -> None:
    """A white-box attack fools a linear network wherever a quarter of eps is enough."""
    norms = norms_of(evaluator)
    # the nearest error is mostly looked for in l2
    norm = norms[-1] if evaluator.kind == "minimal-norm" else norms[0]
    net, batch = near(norm)
    outcome = attacked(evaluator, net, batch, norm)
    with torch.no_grad():
        standing = int((net(outcome.x).argmax(1) == batch.y).sum())
    require(standing == 0, f"{standing} of {len(batch.y)} images still stand")


def near(norm: Any) -> tuple[nn.Module, Batch]:
    """A linear network of five classes, and images that lie `REACH` of eps from its nearest error.

    Each class answers with the mean of its own pixels, times 10; those of the true class are raised.
    """
    mask = F.one_hot(torch.arange(36) % 5, 5).T.float()
    layer = nn.Linear(36, 5, bias=False)
    layer.weight.data = 10 * mask / mask.sum(1, keepdim=True)
    y = torch.arange(6) % 5
    # lowering one mean and raising another: both by eps in linf, by eps / sqrt(2 / 7) between them in l2
    lead = EPS[norm] * REACH * (2 if norm == "linf" else (2 / 7) ** 0.5)
    x = 0.5 + lead * mask[y].view(6, 1, 6, 6)
    return nn.Sequential(nn.Flatten(), layer).eval(), Batch(x, y)


@check("evaluators")
def costs_what_it_declares(evaluator: Any) -> None:
    """`passes` is an upper bound of the forward and backward passes per image, or None."""
    (net, batch), bound = task(), evaluator.passes(5)
    if bound is None:
        return
    cost = Cost({"net": net})
    with cost.counting():
        attacked(evaluator, net, batch, norms_of(evaluator)[0])
    for index, way in enumerate(("forwards", "backwards")):
        spent = cost.passes[f"net_{way}"] / len(batch.y)
        require(spent <= bound[index], f"{spent:.1f} {way} an image, passes(5) is {bound}")


@check("evaluators", lambda evaluator: evaluator.knowledge == "black-box")
def black_box_takes_no_gradient(evaluator: Evaluator) -> None:
    """A black-box attack asks for no gradient of the network it judges."""
    net, batch = task()
    cost = Cost({"net": net})
    with cost.counting():
        attacked(evaluator, net, batch, norms_of(evaluator)[0])
    require(not (spent := cost.passes["net_backwards"]), f"{spent} backward passes")


@check("evaluators", lambda evaluator: "memo" in inspect.signature(evaluator.__call__).parameters)
def goes_on_from_its_memo(evaluator: Evaluator) -> None:
    """With a memo that knows the answers nothing is computed again, and the outcome is the same."""
    net, batch = task()
    known: dict[str, Tensor] = {}

    def fresh(key: str, compute: Callable[[], Tensor]) -> Tensor:
        require(key not in known, f"the key {key} is used twice")
        return known.setdefault(key, compute())

    def remembered(key: str, _: Callable[[], Tensor]) -> Tensor:
        require(key in known, f"the key {key} is new the second time")
        return known[key]

    one = attacked(evaluator, net, batch, norms_of(evaluator)[0], memo=fresh)
    require(known, "the memo is never asked")
    two = attacked(evaluator, net, batch, norms_of(evaluator)[0], memo=remembered)
    require(torch.equal(one.x, two.x), "the outcome is another one")
