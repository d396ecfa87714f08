"""Every published method: path, loss and gradient equal to its formula, to 1e-12 in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import formulas as f
import pytest
import torch
from torch import Tensor, nn

from advkd import loss_of
from advkd.types import Batch, Threat

Formula = Callable[[nn.Module, nn.Module, Tensor, Tensor, int], f.Made]
SEED, TIGHT = 11, {"rtol": 0, "atol": 1e-12}

CASES: dict[str, Formula] = {
    "rslad": f.rslad,
    "rslad-official": f.rslad_official,
    "ard": f.ard,
    "ard-official": lambda *a: f.ard(*a, train=True),
    "iad": f.iad,
    "iad-official": f.iad_official,
    "adaad": f.adaad,
    "pgd-at": f.pgd_at,
    "trades": f.trades,
    "mart": f.mart,
    "path-end": f.path_dual,
}


def ours(
    preset: str, student: nn.Module, teacher: nn.Module, batch: Batch, threat: Threat, **more: Any
) -> Any:
    generator = torch.Generator().manual_seed(SEED)
    return loss_of(
        preset,
        student=student,
        teacher=teacher,
        x=batch.x,
        y=batch.y,
        threat=threat,
        generator=generator,
        **{"progress": 0.5, **more},
    )


def difference(
    preset: str,
    formula: Formula,
    student: nn.Module,
    teacher: nn.Module,
    batch: Batch,
    threat: Threat,
    **more: Any,
) -> tuple[float, float, float]:
    """Largest difference in path end, loss and gradient."""
    loss, paths = ours(preset, student, teacher, batch, threat, **more)
    path = paths["untargeted"]
    got = torch.autograd.grad(loss, list(student.parameters()))
    wanted_loss, end = formula(student, teacher, batch.x, batch.y, SEED)
    wanted = torch.autograd.grad(wanted_loss, list(student.parameters()))
    gradient = max((a - b).abs().max().item() for a, b in zip(got, wanted, strict=True))
    return (path.x[-1] - end).abs().max().item(), abs(loss.item() - wanted_loss.item()), gradient


@pytest.mark.parametrize("preset", CASES)
def test_preset_is_its_formula(
    preset: str, student: nn.Module, teacher: nn.Module, batch: Batch, threat: Threat
) -> None:
    path, loss, gradient = difference(preset, CASES[preset], student, teacher, batch, threat)
    assert path <= 1e-12
    # RSLAD's own KL adds 1e-5 inside one logarithm of the target: a constant of the loss
    assert loss <= (2e-5 if preset == "rslad-official" else 1e-12)
    assert gradient <= 1e-12


FAULTS: dict[str, tuple[str, dict[str, Any]]] = {
    "wrong ascent target": ("rslad", {"ascend": {"loss": "ce", "target": "label"}}),
    "teacher seen at the attacked point": ("rslad", {"terms": {"robust": {"target": "teacher@here"}}}),
    "detached TRADES target": ("trades", {"terms": {"robust": {"detach": True}}}),
    "self target of IAD-I detached": ("iad-official", {"terms": {"self": {"detach": True}}}),
    "missing T squared": ("ard", {"terms": {"robust": {"scale": 1 / 900}}}),
    "no clean term": ("rslad", {"terms": {"clean": {"scale": 0}}}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_a_preset_is_caught(
    fault: str, student: nn.Module, teacher: nn.Module, batch: Batch, threat: Threat
) -> None:
    preset, change = FAULTS[fault]
    found = difference(
        preset,
        CASES[preset],
        student,
        teacher,
        batch,
        threat,
        method={"branches": {"untargeted": change}},
    )
    assert max(found) > 1e-6


def test_swapped_kl_is_caught(
    student: nn.Module, teacher: nn.Module, batch: Batch, threat: Threat, monkeypatch: pytest.MonkeyPatch
) -> None:
    from advkd.losses.divergence import KL

    right = KL.__call__
    monkeypatch.setattr(KL, "__call__", lambda self, logits, target: right(self, target, logits))
    assert max(difference("rslad", f.rslad, student, teacher, batch, threat)) > 1e-6


def test_flipped_targeted_sign_is_caught(
    student: nn.Module, teacher: nn.Module, batch: Batch, threat: Threat, monkeypatch: pytest.MonkeyPatch
) -> None:
    from advkd.methods import branches

    right = branches._objective
    monkeypatch.setattr(branches, "_objective", lambda ascend, way, *rest: right(ascend, "away", *rest))
    assert max(difference("path-end", f.path_dual, student, teacher, batch, threat)) > 1e-6


def one_end(ascend: dict[str, str], target: str, clean: float, robust: float) -> dict[str, Any]:
    """`path-dual` reduced to the end point of one branch (methods that walk one path)."""
    terms = {
        "robust": {"target": target, "scale": robust},
        "path": None,
        "hard": None,
        "clean": {"scale": clean},
    }
    return {"branches": {"untargeted": {"ascend": ascend, "terms": terms}, "targeted": None}}


@pytest.mark.parametrize(
    ("formula", "change"),
    [
        (f.rslad, one_end({"loss": "kl", "target": "teacher@start"}, "teacher@start", 1 / 6, 5 / 6)),
        (f.adaad, one_end({"loss": "kl", "target": "teacher@here"}, "teacher@here", 0, 1)),
    ],
    ids=["rslad", "adaad"],
)
def test_path_dual_with_one_end_point_reduces(
    formula: Formula,
    change: dict[str, Any],
    student: nn.Module,
    teacher: nn.Module,
    batch: Batch,
    threat: Threat,
) -> None:
    assert max(difference("path-dual", formula, student, teacher, batch, threat, method=change)) <= 1e-12


@pytest.mark.parametrize("branch", ["untargeted", "targeted"])
def test_path_dual_sums_its_drawn_points(
    branch: str, student: nn.Module, teacher: nn.Module, batch: Batch, threat: Threat
) -> None:
    """With `draw: all` the path term is the weighted sum of its formula.

    Where the path has a goal, the margin is to that: the class the teacher finds likeliest of the wrong ones.
    """
    others = ("robust", "clean", "hard") if branch == "untargeted" else ("robust",)
    none = {term: {"scale": 0} for term in others}
    change = {"branches": {"untargeted": None, "targeted": None}}
    change["branches"][branch] = {"terms": {"path": {"draw": "all"}, **none}}
    loss, paths = ours("path-dual", student, teacher, batch, threat, method=change)
    path = paths[branch]
    with torch.no_grad():
        student.eval()
        p = torch.stack([torch.softmax(student(x), 1) for x in path.x[1:]])
        student.train()
    rows = torch.arange(len(batch.y))
    soft = teacher(batch.x)
    own = p[:, rows, batch.y]
    rest, wrong = p.clone(), soft.clone()
    rest[:, rows, batch.y] = wrong[rows, batch.y] = -torch.inf
    rival = rest.max(2).values if branch == "untargeted" else p[:, rows, wrong.argmax(1)]
    weight = torch.exp(-(own - rival).abs() / 0.25)
    weight = weight / weight.sum(0)
    wanted = 5 / 12 * sum((weight[k] * f.kl(soft, student(path.x[k + 1]))).mean() for k in range(10))
    torch.testing.assert_close(loss, wanted, **TIGHT)
