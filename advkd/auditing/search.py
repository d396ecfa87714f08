"""The network as attacks search it: a fast twin of the judged one, trusted only if it points the same way."""

from __future__ import annotations

import copy
import logging

import torch
from torch import Tensor, nn

from advkd.config.case import AuditPlan
from advkd.networks.engine import Engine, decided, large
from advkd.networks.folding import fold
from advkd.networks.modes import buffers_kept, evaluating, logits_of
from advkd.registry import load
from advkd.types import Batch, Shape
from advkd.walk import value_and_gradient

CHUNKS = (128, 32)
"""Images per call: few enough for a CPU cache. Compiled networks see no other sizes."""

ALIKE = 0.9
"""Median cosine, over images, of the margin's gradient on both networks, below which float32 searches."""

NEAR = 0.03
"""Median change of the margin from one to the other, as a share of its median size, above which it does."""

log = logging.getLogger("advkd")


def engine_for(net: nn.Module, plan: AuditPlan, shape: Shape, classes: int, images: int) -> Engine:
    """How the attacks of a plan on `images` images of `shape` run `net`, from what they cost at most."""
    passes = 0.0
    for name, evaluator in plan.evaluators.items():
        forward, backward = evaluator.passes(classes) or (0, 0)
        passes += (forward + 2 * backward) * min(images, plan.subset.get(name, images))
    return decided(net, shape, passes, plan.compile, plan.precision)


class Search(nn.Module):
    """A folded copy of `net` behind `engine`: images (B,C,H,W) of any number to float32 logits (B,N)."""

    def __init__(self, net: nn.Module, engine: Engine, sizes: tuple[int, int] = CHUNKS) -> None:
        super().__init__()
        twin = copy.deepcopy(net).eval()
        fold(twin)
        self.fast, self.sizes = engine(twin), sizes

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B,N)."""
        compiled = self.fast.engine.compiled
        if not compiled and x.device.type != "cpu":
            whole: Tensor = self.fast(x)
            return whole
        answers: list[Tensor] = []
        for part in torch.split(x, self.sizes[0]):
            answers += self._filled(part) if compiled else [self.fast(part)]
        return torch.cat(answers)

    def _filled(self, part: Tensor) -> list[Tensor]:
        """Its logits, by calls of the two sizes: for every other one the network would be compiled anew."""
        answers, (most, few) = [], self.sizes
        # a few are cheaper in small calls than in one that is mostly blank
        size = most if 2 * len(part) > most else few
        for piece in torch.split(part, size):
            blank = piece.new_zeros(size - len(piece), *piece.shape[1:])
            answers.append(self.fast(torch.cat([piece, blank]))[: len(piece)])
        return answers


class Searches:
    """For a network the one on which its attacks search; made when first wanted.

    That is its fast twin, or the network itself where the twin fails or would mislead the attacks, by
    what the two say of the images of `batch`, and where a twin in float32 would gain nothing.
    """

    def __init__(self, engine: Engine, batch: Batch) -> None:
        self._engine, self._batch = engine, batch
        self._made: dict[nn.Module, nn.Module] = {}
        self.refused: dict[nn.Module, str] = {}
        """Why attacks search on a network itself, where the engine has a twin for it."""

    def __call__(self, net: nn.Module) -> nn.Module:
        """What attacks of `net` are to search."""
        if net not in self._made:
            _, c, h, w = self._batch.x.shape
            gains = self._engine != Engine() or large(net, (c, h, w))
            self._made[net] = self._trusted(net) if gains else net
        return self._made[net]

    def _trusted(self, net: nn.Module) -> nn.Module:
        try:
            twin = Search(net, self._engine)
            reason = _misleading(net, twin, self._batch)
        # a foreign network may resist copying, autocast or the compiler, each with an error of its own
        except Exception as cause:
            reason = f"{type(cause).__name__}: {cause}".splitlines()[0]
        if not reason:
            return twin
        log.info("attacks search in plain float32: %s", reason)
        self.refused[net] = reason
        return net


def _misleading(net: nn.Module, twin: nn.Module, batch: Batch) -> str:
    """Why attacks of the twin would miss examples of the network; empty if they would not."""
    loss = load("losses", "margin")()

    def seen(module: nn.Module) -> tuple[Tensor, Tensor]:
        with evaluating(module), buffers_kept(module):
            margin, gradient = value_and_gradient(lambda at: loss(module(at), batch.y), batch.x)
        return margin, gradient.flatten(1)

    if not torch.isfinite(logits_of(twin, batch.x)).all():
        return "the fast twin's logits are not finite"
    (margin, gradient), (twins, other) = seen(net), seen(twin)
    cosine = torch.cosine_similarity(gradient, other).median().item()
    if not cosine >= ALIKE:
        return f"the fast twin has other gradients (median cosine {cosine:.2f})"
    moved = ((twins - margin).abs().median() / margin.abs().median()).item()
    if not moved <= NEAR:
        # rounding may hide success that the network itself would show, and nothing asks there again
        return f"the fast twin has other margins (by {moved:.0%} of their size)"
    return ""
