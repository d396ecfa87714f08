"""The published methods, each written out once more from its formula, with its own attack loop."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

EPS, STEP, STEPS = 0.1, 0.025, 10


def kl(p: Tensor, q: Tensor) -> Tensor:
    """KL(softmax(p) || softmax(q)) per sample."""
    a, b = torch.softmax(p, 1), torch.softmax(q, 1)
    return (a * (a.log() - b.log())).sum(1)


def ce(z: Tensor, y: Tensor) -> Tensor:
    return -torch.softmax(z, 1)[torch.arange(len(y)), y].log()


def ascend(x: Tensor, noise: Tensor, objective: Callable[[Tensor], Tensor]) -> Tensor:
    """Ten sign steps from a noisy start."""
    at = torch.clamp(x + torch.clamp(noise, -EPS, EPS), 0, 1)
    for _ in range(STEPS):
        at = at.clone().requires_grad_(True)
        (g,) = torch.autograd.grad(objective(at).sum(), at)
        at = at.detach() + STEP * torch.sign(g)
        at = torch.clamp(torch.clamp(at, x - EPS, x + EPS), 0, 1)
    return at.detach()


def gaussian(x: Tensor, seed: int) -> Tensor:
    return 0.001 * torch.randn(x.shape, generator=torch.Generator().manual_seed(seed), dtype=x.dtype)


def uniform(x: Tensor, seed: int) -> Tensor:
    return EPS * (2 * torch.rand(x.shape, generator=torch.Generator().manual_seed(seed), dtype=x.dtype) - 1)


Made = tuple[Tensor, Tensor]


def in_eval(net: nn.Module, walk: Callable[[], Tensor]) -> Tensor:
    net.eval()
    adversarial = walk()
    net.train()
    return adversarial


def in_train(net: nn.Module, walk: Callable[[], Tensor]) -> Tensor:
    before = {name: buffer.clone() for name, buffer in net.named_buffers()}
    net.train()
    adversarial = walk()
    for name, buffer in net.named_buffers():
        buffer.copy_(before[name])
    return adversarial


def rslad(s: nn.Module, t: nn.Module, x: Tensor, y: Tensor, seed: int, per_class: float = 1) -> Made:
    soft = t(x)
    adv = in_eval(s, lambda: ascend(x, gaussian(x, seed), lambda a: kl(soft, s(a))))
    return (5 / 6 * kl(soft, s(adv)).mean() + 1 / 6 * kl(soft, s(x)).mean()) / per_class, adv


def rslad_official(s: nn.Module, t: nn.Module, x: Tensor, y: Tensor, seed: int) -> Made:
    """As the code has it: mean over all elements, 1e-5 inside the target's logarithm."""
    soft = t(x)
    adv = in_eval(s, lambda: ascend(x, gaussian(x, seed), lambda a: kl(soft, s(a))))
    p = torch.softmax(soft, 1)

    def mean(z: Tensor) -> Tensor:
        return (-torch.log_softmax(z, 1) * p + torch.log(p + 1e-5) * p).mean()

    return 5 / 6 * mean(s(adv)) + 1 / 6 * mean(s(x)), adv


def ard(s: nn.Module, t: nn.Module, x: Tensor, y: Tensor, seed: int, train: bool = False) -> Made:
    walk = in_train if train else in_eval
    adv = walk(s, lambda: ascend(x, uniform(x, seed), lambda a: ce(s(a), y)))
    loss = 900 * kl(t(x) / 30, s(adv) / 30).mean()
    return (loss / 5 if train else loss), adv


def iad(s: nn.Module, t: nn.Module, x: Tensor, y: Tensor, seed: int) -> Made:
    adv = in_eval(s, lambda: ascend(x, uniform(x, seed), lambda a: ce(s(a), y)))
    trust = torch.softmax(t(adv), 1)[torch.arange(len(y)), y] ** 0.1
    z = s(adv)
    return (trust * kl(t(x), z) + (1 - trust) * kl(s(x).detach(), z)).mean(), adv


def iad_official(s: nn.Module, t: nn.Module, x: Tensor, y: Tensor, seed: int) -> Made:
    adv = in_train(s, lambda: ascend(x, uniform(x, seed), lambda a: ce(s(a), y)))
    trust = torch.softmax(t(adv), 1)[torch.arange(len(y)), y] ** 0.1
    z = s(adv)
    return (kl(t(x), z) + (1 - trust) * kl(s(x), z)).mean(), adv


def adaad(s: nn.Module, t: nn.Module, x: Tensor, y: Tensor, seed: int) -> Made:
    adv = in_eval(s, lambda: ascend(x, gaussian(x, seed), lambda a: kl(t(a), s(a))))
    return kl(t(adv), s(adv)).mean(), adv


def pgd_at(s: nn.Module, t: nn.Module, x: Tensor, y: Tensor, seed: int) -> Made:
    adv = in_eval(s, lambda: ascend(x, uniform(x, seed), lambda a: ce(s(a), y)))
    return ce(s(adv), y).mean(), adv


def trades(s: nn.Module, t: nn.Module, x: Tensor, y: Tensor, seed: int) -> Made:
    with torch.no_grad():
        s.eval()
        soft = s(x)
    adv = in_eval(s, lambda: ascend(x, gaussian(x, seed), lambda a: kl(soft, s(a))))
    clean = s(x)
    return ce(clean, y).mean() + 6 * kl(clean, s(adv)).mean(), adv


def mart(s: nn.Module, t: nn.Module, x: Tensor, y: Tensor, seed: int) -> Made:
    adv = in_eval(s, lambda: ascend(x, gaussian(x, seed), lambda a: ce(s(a), y)))
    p, q = torch.softmax(s(x), 1), torch.softmax(s(adv), 1)
    rows = torch.arange(len(y))
    others = q.clone()
    others[rows, y] = 0
    bce = (-q[rows, y].log() - torch.log(1.0001 - others.max(1).values + 1e-12)).mean()
    soft = (p * (torch.log(p + 1e-12) - torch.log(q + 1e-12))).sum(1)
    return bce + 5 * ((1.0000001 - p[rows, y]) * soft).mean(), adv


def path_dual(s: nn.Module, t: nn.Module, x: Tensor, y: Tensor, seed: int) -> Made:
    """Both branches with end points only; noise of the targeted branch follows the untargeted one's."""
    source = torch.Generator().manual_seed(seed)
    noises = [0.001 * torch.randn(x.shape, generator=source, dtype=x.dtype) for _ in range(2)]
    soft = t(x)
    wrong = soft.clone()
    wrong[torch.arange(len(y)), y] = -torch.inf
    goal = wrong.argmax(1)
    u = in_eval(s, lambda: ascend(x, noises[0], lambda a: ce(s(a), y)))
    v = in_eval(s, lambda: ascend(x, noises[1], lambda a: -ce(s(a), goal)))
    at_u = s(u)
    ends = kl(soft, at_u).mean() + ce(at_u, y).mean() + kl(soft, s(v)).mean()
    return 5 / 6 * ends + 1 / 6 * kl(soft, s(x)).mean(), u
