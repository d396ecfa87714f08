"""What two people could read differently in a sum of branches, one test each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advkd import AdvkdError, loss_of
from advkd.config.build import member
from advkd.config.layers import named, over
from advkd.step import Step
from advkd.streams import streams
from advkd.types import Batch, Path, Threat


def method_of(preset: str, change: dict[str, Any] | None = None) -> Any:
    raw = over(named("presets", preset), {"method": change or {}})
    return member("methods", raw["method"], "method")[0]


def step_of(student: nn.Module, teacher: nn.Module, threat: Threat, **more: Any) -> Step:
    return Step(nets={"student": student, "teacher": teacher}, threat=threat, streams=streams(5), **more)


def run_step(method: Any, batch: Batch, step: Step) -> tuple[float, dict[str, float]]:
    """One step's loss and parts; gradients are left in the parameters."""
    value, parts = 0.0, {}
    for scalar, more in method.losses(method.paths(batch, step), batch, step):
        scalar.backward()
        value += scalar.item()
        for name, part in more.items():
            parts[name] = parts.get(name, 0.0) + part.item()
    return value, parts


@pytest.mark.parametrize("preset", ["path-dual", "rslad", "iad-official", "trades", "mart"])
def test_parts_sum_to_the_loss(preset, student, teacher, batch, threat):
    value, parts = run_step(method_of(preset), batch, step_of(student, teacher, threat, progress=0.5))
    assert sum(parts.values()) == pytest.approx(value, abs=1e-12)


def count_forwards(net: nn.Module, what: Callable[[], Any]) -> tuple[int, int]:
    """Forwards in train mode and in eval mode."""
    seen = []
    handle = net.register_forward_hook(lambda module, *_: seen.append(module.training))
    what()
    handle.remove()
    return sum(seen), len(seen) - sum(seen)


@pytest.mark.parametrize(
    ("preset", "trained"), [("rslad", 2), ("pgd-at", 1), ("trades", 2), ("path-end", 3), ("path-dual", 5)]
)
def test_one_train_mode_forward_per_point(preset, trained, student, teacher, batch, threat):
    step = step_of(student, teacher, threat)
    forwards = count_forwards(student, lambda: run_step(method_of(preset), batch, step))
    assert forwards[0] == trained


def test_paths_and_weights_come_before_any_train_mode_forward(student, teacher, batch, threat):
    modes: list[bool] = []
    student.register_forward_hook(lambda module, *_: modes.append(module.training))
    run_step(method_of("path-dual"), batch, step_of(student, teacher, threat))
    assert modes == sorted(modes)


@pytest.mark.parametrize("preset", ["rslad", "path-dual"])
def test_batchnorm_moves_as_much_as_one_forward(preset, student, teacher, batch, threat):
    norm = student[1]
    momentum, moves = norm.momentum, []

    def note(module: nn.Module, _: Any) -> None:
        if module.training:
            moves.append(module.momentum)

    norm.register_forward_pre_hook(note)
    run_step(method_of(preset), batch, step_of(student, teacher, threat))
    assert sum(moves) == pytest.approx(momentum)
    assert norm.momentum == momentum
    moves.clear()
    run_step(method_of(preset, {"bn_update": "each"}), batch, step_of(student, teacher, threat))
    assert moves == [momentum] * len(moves)


def test_undetached_student_start_carries_gradient_and_is_forwarded_once(student, teacher, batch, threat):
    def gradient(detach: bool) -> Tensor:
        change = {"branches": {"untargeted": {"terms": {"robust": {"detach": detach}}}}}
        step = step_of(student, teacher, threat)
        assert count_forwards(student, lambda: run_step(method_of("trades", change), batch, step))[0] == 2
        found = student[0].weight.grad.clone()
        student.zero_grad()
        return found

    assert (gradient(False) - gradient(True)).abs().max() > 1e-6


def test_leaf_gradients_are_exact_over_many_points(student, teacher, batch, threat):
    """A target at the start of the path, undetached, with every point of the path pulling at it."""
    term = {"loss": "kl", "target": "student@start", "weight": "uniform"}
    change = {"branches": {"untargeted": {"terms": {"robust": {"scale": 0}, "path": term}}}}
    student.eval()
    loss, paths = loss_of("trades", student=student, x=batch.x, y=batch.y, threat=threat, method=change)
    got = torch.autograd.grad(loss, list(student.parameters()))
    clean = student(batch.x)
    wanted = nn.functional.cross_entropy(clean, batch.y)
    for x in paths["untargeted"].x[1:]:
        divergence = nn.functional.kl_div(
            student(x).log_softmax(1), clean.log_softmax(1), log_target=True, reduction="batchmean"
        )
        wanted = wanted + divergence / 10
    for a, b in zip(got, torch.autograd.grad(wanted, list(student.parameters())), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


def test_order_of_branches_does_not_matter(student, teacher, batch, threat):
    def parts(names: list[str]) -> dict[str, float]:
        method = method_of("path-dual")
        turned = type(method)(branches={name: method.branches[name] for name in names})
        student.zero_grad()
        student.eval()
        return run_step(turned, batch, step_of(student, teacher, threat))[1]

    assert parts(["untargeted", "targeted"]) == parts(["targeted", "untargeted"])


def test_a_batch_of_one_class_skips_an_anchored_branch(student, teacher, batch, threat):
    method = method_of("path-dual", {"branches": {"targeted": {"path": {"goal": "anchor"}}}})
    alone = Batch(batch.x, torch.zeros_like(batch.y))
    step = step_of(student, teacher, threat)
    paths = method.paths(alone, step)
    assert paths["targeted"] is None
    names = {name for _, parts in method.losses(paths, alone, step) for name in parts}
    assert {name.partition(".")[0] for name in names} == {"untargeted"}


def test_a_path_of_one_point_has_an_end_but_no_path(student, teacher, batch, threat):
    path = Path(batch.x[None], batch.y)
    step = step_of(student, teacher, threat)
    change = {"branches": {"targeted": None}}
    parts = [p for _, p in method_of("path-dual", change).losses({"untargeted": path}, batch, step)]
    names = {name for part in parts for name in part}
    assert names == {f"untargeted.{name}" for name in ("robust", "clean", "hard")}


def test_all_zero_weights_give_no_loss(student, teacher, batch, threat):
    still = Path(torch.stack([batch.x] * 3), batch.y)
    change = {"branches": {"targeted": None, "untargeted": {"terms": {"path": {"weight": "impact"}}}}}
    step = step_of(student, teacher, threat)
    parts = [p for _, p in method_of("path-dual", change).losses({"untargeted": still}, batch, step)]
    assert "untargeted.path" not in {name for part in parts for name in part}


def test_total_rescales_every_term(student, teacher, batch, threat):
    step = step_of(student, teacher, threat)
    student.eval()
    plain, _ = run_step(method_of("rslad"), batch, step)
    scaled, _ = run_step(method_of("rslad", {"total": 3}), batch, step)
    assert scaled == pytest.approx(3 * plain)


def test_the_scale_of_a_branch_multiplies_its_terms(student, teacher, batch, threat):
    # or the first step would move what the second sees
    student.eval()
    whole, halved = (
        run_step(
            method_of("path-end", {"branches": {"targeted": {"scale": scale}}}),
            batch,
            step_of(student, teacher, threat),
        )[1]
        for scale in (1.0, 0.5)
    )
    for name, part in whole.items():
        assert halved[name] == pytest.approx(part * (0.5 if name.startswith("targeted.") else 1), abs=1e-12)
    assert {name.partition(".")[0] for name in whole} == {"targeted", "untargeted"}


def test_weightings_are_told_nothing_that_was_said_in_train_mode(student, teacher, batch, threat):
    for mode, kept in (("eval", True), ("train", False)):
        method = method_of("path-dual", {"attack_mode": mode})
        paths = method.paths(batch, step_of(student, teacher, threat))
        assert {bool(path.logits) for path in paths.values()} == {kept}


def test_a_term_starts_when_it_says(student, teacher, batch, threat):
    method = method_of("rslad", {"branches": {"untargeted": {"terms": {"clean": {"since": 0.3}}}}})

    def names(progress: float) -> set[str]:
        return set(run_step(method, batch, step_of(student, teacher, threat, progress=progress))[1])

    assert names(0.29) == {"untargeted.robust"}
    assert names(0.3) == {"untargeted.robust", "untargeted.clean"}


def test_trust_starts_when_it_says(student, teacher, batch, threat):
    early = run_step(method_of("iad"), batch, step_of(student, teacher, threat, progress=0.2))[1]
    late = run_step(method_of("iad"), batch, step_of(student, teacher, threat, progress=0.4))[1]
    assert "untargeted.self" not in early
    assert late["untargeted.self"] > 0


@pytest.mark.parametrize(("bn", "moves"), [("kept", False), ("published", True)])
def test_attack_in_train_mode_keeps_buffers_unless_published(bn, moves, student, teacher, batch, threat):
    method = method_of("ard", {"attack_mode": "train", "attack_bn": bn})
    before = student[1].running_mean.clone()
    method.paths(batch, step_of(student, teacher, threat))
    assert torch.equal(before, student[1].running_mean) is not moves
    assert student.training


def test_split_norms_leave_the_students_own_alone(student, teacher, batch, threat):
    method = method_of("path-dual", {"branch_bn": "split"})
    method.build({"student": student})
    own = method.modules()["norms.targeted"]
    before = [tensor.clone() for tensor in own.state_dict().values()]
    shared = student[1].running_mean.clone()
    step = step_of(student, teacher, threat)
    paths = method.paths(batch, step)
    only = {"targeted": paths["targeted"], "untargeted": None}
    for scalar, _ in method.losses(only, batch, step):
        scalar.backward()
    assert torch.equal(shared, student[1].running_mean)
    assert student[1].weight.grad is None
    assert student[0].weight.grad is not None
    after = list(own.state_dict().values())
    assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert all(parameter.grad is not None for parameter in own.parameters())
    assert not any("norms" in name for name in student.state_dict())


def test_squared_distance_and_margin_fit_where_their_kind_does():
    change = {"branches": {"untargeted": {"terms": {"robust": {"loss": "ce"}}}}}
    with pytest.raises(AdvkdError, match="takes label or goal"):
        method_of("rslad", change)
    method_of("rslad", {"branches": {"untargeted": {"terms": {"robust": {"loss": "squared"}}}}})
    method_of("pgd-at", {"branches": {"untargeted": {"ascend": {"loss": "margin"}}}})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"walk": "toward"}, "do not agree"),
        ({"ascend": {"target": "teacher@end"}}, "not known while it is walked"),
        ({"ascend": {"target": "student@here"}}, "always zero"),
        ({"ascend": {"loss": "ce", "target": "goal"}, "walk": "toward"}, "has no goal"),
        ({"terms": {"robust": {"loss": "ce", "target": "goal"}}}, "has no goal"),
        ({"terms": {"robust": {"since": 1}}}, "later never starts"),
        ({"terms": {"robust": {"target": "teacher@strat"}}}, "did you mean teacher@start"),
        ({"ascend": {"target": "student@start"}, "attack": {"init": "none"}}, "no direction"),
        ({"ascend": {"target": "student@start"}, "attack": {"use": "fgsm"}}, "no direction"),
    ],
)
def test_what_makes_no_sense_is_refused(change, says):
    with pytest.raises(AdvkdError, match=says):
        method_of("rslad", {"branches": {"untargeted": change}})
