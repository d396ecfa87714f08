"""Seeded, stratified choices of images."""

from __future__ import annotations

import torch
from torch import Tensor

from advkd.errors import error
from advkd.streams import streams


def stratified(y: Tensor, fraction: float, seed: int) -> tuple[Tensor, Tensor]:
    """Sorted indices of the rest and of a `fraction` of every class of `y` (N,).

    A class of two images or more has at least one on each side.
    """
    part = []
    for label in torch.unique(y).tolist():
        # the mask lies on the CPU, and labels may not
        rows = _shuffled(y, label, seed, "split").cpu()
        n = min(max(round(fraction * len(rows)), 1), len(rows) - 1)
        part.append(rows[:n])
    chosen = torch.zeros(len(y), dtype=torch.bool)
    chosen[torch.cat(part)] = True
    return (~chosen).nonzero().squeeze(1), chosen.nonzero().squeeze(1)


def for_every_class(place: str, limit: int | None, classes: int) -> None:
    """Raises `AdvkdError`, naming `place`, where `limit` images are fewer than there are classes."""
    if limit is not None and limit < classes:
        problem = f"must leave an image for each of {classes} classes"
        raise error(place, problem, given=limit, remedy="raise it, or leave it out")


def limited(y: Tensor, limit: int | None, seed: int, place: str = "limit") -> Tensor:
    """Sorted indices of `limit` images, each class in its share of `y` (N,), once at least; all for None.

    Raises `AdvkdError`, naming `place`, where not every class would have one.
    """
    if limit is None or limit >= len(y):
        return torch.arange(len(y))
    labels, counts = torch.unique(y, return_counts=True)
    for_every_class(place, limit, len(labels))
    # by largest remainder; who would have none takes it from who has most
    quota = counts * (limit / len(y))
    shares = quota.floor().long()
    shares[(quota - shares).argsort(descending=True, stable=True)[: limit - int(shares.sum())]] += 1
    while (shares == 0).any():
        shares[shares.argmax()] -= 1
        shares[shares.argmin()] += 1
    rows = [
        _shuffled(y, label, seed, "limit")[:share]
        for label, share in zip(labels.tolist(), shares.tolist(), strict=True)
    ]
    return torch.cat(rows).sort().values


def spread(y: Tensor, n: int, seed: int) -> Tensor:
    """Sorted indices of at most `n` images, of every class of `y` (N,) if `n` is enough for that."""
    if n >= len(torch.unique(y)):
        return limited(y, n, seed)
    return torch.randperm(len(y), generator=streams(seed)("limit"))[:n].sort().values


def _shuffled(y: Tensor, label: int, seed: int, purpose: str) -> Tensor:
    rows = (y == label).nonzero().squeeze(1)
    return rows[torch.randperm(len(rows), generator=streams(seed)(purpose, label))]
