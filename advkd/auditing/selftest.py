"""`advkd selftest`: networks with planted faults, each of which must raise its flag, and an honest one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.resources import as_file, files

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional as F

from advkd.auditing.audit import audited
from advkd.auditing.case import planned
from advkd.auditing.order import Audit, Subject
from advkd.auditing.verdict import Verdict
from advkd.data.digits import Digits
from advkd.data.images import Images, in_memory
from advkd.models.file import File
from advkd.networks import weights
from advkd.networks.device import chosen
from advkd.types import Threat

THREAT = Threat(eps=0.2)
IMAGES = 150
SHAPE = (1, 8, 8)


class Quantised(nn.Module):
    """Sees 8 grey levels: no gradient passes the rounding."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        """(B,C,H,W) to (B,N)."""
        answer: Tensor = self.net(self.seen(x))
        return answer

    def seen(self, x: Tensor) -> Tensor:
        """The image as the network inside gets it."""
        return (x * 7).round() / 7


class StraightThrough(Quantised):
    """The same with a made-up gradient behind the rounding."""

    def seen(self, x: Tensor) -> Tensor:
        """The image as the network inside gets it."""
        return x + (super().seen(x) - x).detach()


class Noisy(Quantised):
    """Adds noise of its own before it looks."""

    def seen(self, x: Tensor) -> Tensor:
        """The image as the network inside gets it."""
        return x + 0.1 * torch.randn_like(x)


class ZeroGradient(Quantised):
    """Answers rightly and passes no gradient."""

    def forward(self, x: Tensor) -> Tensor:
        """(B,C,H,W) to (B,N)."""
        return super().forward(x).detach() + 0 * x.sum()

    def seen(self, x: Tensor) -> Tensor:
        """The image as the network inside gets it."""
        return x


class Clamped(Quantised):
    """Logits pressed against a bound: flat wherever the network is sure."""

    def forward(self, x: Tensor) -> Tensor:
        """(B,C,H,W) to (B,N)."""
        logits: Tensor = self.net(x)
        ahead = logits - logits.topk(2).values[:, 1:]
        return (20 * ahead).clamp(-4, 4)


class BatchStatistics(nn.BatchNorm2d):
    """BatchNorm that never leaves train mode."""

    def forward(self, x: Tensor) -> Tensor:
        """(B,C,H,W) to the same shape, by the statistics of this very batch."""
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, training=True)


def in_train_mode(net: nn.Module) -> nn.Module:
    """`net` with BatchNorm layers that use the batch's own statistics whatever the mode."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.__class__ = BatchStatistics
    return net


def other_normalisation(net: nn.Module) -> nn.Module:
    """`net` behind the mean and std of other data."""
    net.get_buffer("normalise.mean").fill_(0.9)
    net.get_buffer("normalise.std").fill_(0.15)
    return net


FAULTS: Mapping[str, tuple[str, Callable[[nn.Module], nn.Module], str]] = {
    "honest": ("robust", lambda net: net, ""),
    "zero gradient": ("plain", ZeroGradient, "zero-gradient"),
    "softmax output": ("robust", lambda net: nn.Sequential(net, nn.Softmax(dim=1)), "probabilities"),
    "random forward": ("robust", Noisy, "random-forward"),
    "input quantiser": ("plain", Quantised, "non-differentiable"),
    "straight-through quantiser": ("plain", StraightThrough, "non-differentiable"),
    "train-mode BatchNorm": ("robust", in_train_mode, "train-mode"),
    "wrong normalisation": ("robust", other_normalisation, "below-record"),
    "masking clamp": ("plain", Clamped, "black-box-better"),
}
"""Name: the shipped network it is made of, how, and the flag it must raise; none for the honest one."""


@dataclass(frozen=True)
class Checked:
    """One network of the self-test: the flag it must raise (none if empty), and its verdict."""

    name: str
    must: str
    verdict: Verdict

    @property
    def flags(self) -> list[str]:
        """The names of the flags it raised."""
        return [flag.name for flag in self.verdict.flags]

    @property
    def as_expected(self) -> bool:
        """Its flag is there; for the honest network, no flag is."""
        return self.must in self.flags if self.must else not self.flags


def shipped(name: str) -> Subject:
    """A shipped network, `robust` or `plain` (a tiny CNN for digits), with its record."""
    with as_file(files("advkd.auditing").joinpath(f"{name}.safetensors")) as path:
        net = File(path=str(path))(10, SHAPE).eval()
        return Subject("model", net, weights.about(path, "selftest")["validation"])


def run(names: tuple[str, ...] = tuple(FAULTS)) -> list[Checked]:
    """Audits the named networks."""
    images = in_memory(Digits().open("test"), 10, "selftest")
    return [_checked(name, images) for name in names]


def _checked(name: str, images: Images) -> Checked:
    (source, fault, must), device = FAULTS[name], chosen("auto")
    subject = shipped(source)
    plan, options = planned("selftest", {"limit": IMAGES})
    audit = Audit(
        subjects=[replace(subject, net=fault(subject.net).eval().to(device))],
        images=images,
        classes=10,
        threat=THREAT,
        plan=plan,
        options=options,
        device=device,
    )
    return Checked(name, must, audited(audit))


def table(out: Console, found: list[Checked]) -> None:
    """What was planted, what was seen, and whether that is as it should be."""
    shown = Table(title=f"digits, {THREAT}, {IMAGES} images each")
    for heading in ("network", "must raise", "raised", "clean", "robust", ""):
        shown.add_column(heading)
    for row in found:
        numbers = [f"{100 * value:.1f}" for value in (row.verdict.clean, row.verdict.robust)]
        mark = "[green]ok[/]" if row.as_expected else "[bold red]NOT SEEN[/]"
        shown.add_row(row.name, row.must or "nothing", ", ".join(row.flags) or "nothing", *numbers, mark)
    out.print(shown)
