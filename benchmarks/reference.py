"""The yardstick: one training step of five methods as plain eager float32 loops of the published structure.

    python benchmarks/reference.py

No strawman: attack steps take the gradient of the image alone, the clean teacher runs once per step, the
attack is in eval mode. Run alone it prints images/s of RSLAD on a ResNet-20; `step.py` compares.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EPS, STEPS = 8 / 255, 10


def kl(logits: Tensor, target: Tensor, temperature: float = 1.0) -> Tensor:
    """KL(softmax(target) || softmax(logits)) per image, times the temperature squared."""
    log_q = F.log_softmax(logits / temperature, dim=1)
    p = F.softmax(target / temperature, dim=1)
    return F.kl_div(log_q, p, reduction="none").sum(1) * temperature**2


def attacked(objective: Callable[[Tensor], Tensor], x: Tensor, start: Tensor) -> Tensor:
    """PGD on the summed objective from `start`."""
    at = start.clamp(0, 1)
    for _ in range(STEPS):
        at = at.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(objective(at).sum(), at)
        at = at.detach() + EPS / 4 * gradient.sign()
        at = torch.min(torch.max(at, x - EPS), x + EPS).clamp(0, 1)
    return at.detach()


def pgd_at(student: nn.Module, teacher: nn.Module, x: Tensor, y: Tensor) -> Tensor:  # noqa: ARG001
    """Cross-entropy on attacked images (Madry et al.)."""
    student.eval()
    noise = torch.empty_like(x).uniform_(-EPS, EPS)
    at = attacked(lambda at: F.cross_entropy(student(at), y, reduction="none"), x, x + noise)
    student.train()
    return F.cross_entropy(student(at), y)


def rslad(student: nn.Module, teacher: nn.Module, x: Tensor, y: Tensor) -> Tensor:  # noqa: ARG001
    """Soft labels for attack and loss (Zi et al.)."""
    with torch.no_grad():
        soft = teacher(x)
    student.eval()
    at = attacked(lambda at: kl(student(at), soft), x, x + 0.001 * torch.randn_like(x))
    student.train()
    return 5 / 6 * kl(student(at), soft).mean() + 1 / 6 * kl(student(x), soft).mean()


def ard(student: nn.Module, teacher: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """The teacher's clean answer for the attacked image (Goldblum et al., alpha 1, temperature 30)."""
    with torch.no_grad():
        soft = teacher(x)
    student.eval()
    noise = torch.empty_like(x).uniform_(-EPS, EPS)
    at = attacked(lambda at: F.cross_entropy(student(at), y, reduction="none"), x, x + noise)
    student.train()
    return kl(student(at), soft, 30.0).mean()


def iad(student: nn.Module, teacher: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Trust in the teacher where it is right, in itself elsewhere (Zhu et al., IAD-I, late phase)."""
    with torch.no_grad():
        soft = teacher(x)
    student.eval()
    noise = torch.empty_like(x).uniform_(-EPS, EPS)
    at = attacked(lambda at: F.cross_entropy(student(at), y, reduction="none"), x, x + noise)
    with torch.no_grad():
        trust = F.softmax(teacher(at), dim=1).gather(1, y[:, None]).squeeze(1) ** 0.1
    student.train()
    logits, own = student(at), student(x).detach()
    return (trust * kl(logits, soft) + (1 - trust) * kl(logits, own)).mean()


def adaad(student: nn.Module, teacher: nn.Module, x: Tensor, y: Tensor) -> Tensor:  # noqa: ARG001
    """Search and alignment of both networks at one point (Huang et al.)."""
    student.eval()
    at = attacked(lambda at: kl(student(at), teacher(at)), x, x + 0.001 * torch.randn_like(x))
    student.train()
    with torch.no_grad():
        soft = teacher(at)
    return kl(student(at), soft).mean()


METHODS = {"pgd-at": pgd_at, "rslad": rslad, "ard": ard, "iad": iad, "adaad": adaad}


def stepper(method: str, student: nn.Module, teacher: nn.Module, x: Tensor, y: Tensor) -> Callable[[], None]:
    """One whole training step of a method, to be called again and again."""
    teacher.eval().requires_grad_(False)
    optimizer = torch.optim.SGD(student.parameters(), lr=0.01, momentum=0.9, weight_decay=2e-4)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        METHODS[method](student, teacher, x, y).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def main() -> None:
    """RSLAD on a ResNet-20, batch 128."""
    from common import networks

    student, teacher = networks("resnet20")
    x, y = torch.rand(128, 3, 32, 32), torch.randint(10, (128,))
    step = stepper("rslad", student, teacher, x, y)
    step()
    begin = time.perf_counter()
    step()
    print(f"{128 / (time.perf_counter() - begin):.1f} images/s")


if __name__ == "__main__":
    main()
