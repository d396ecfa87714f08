"""What two people could read differently in a sum of branches, one test each."""

from __future__ import annotations

import pytest
import torch
from one_step import method_of, run_step, step_of
from torch import nn

from advkd import AdvkdError, loss_of
from advkd.types import Batch, Path


@pytest.mark.parametrize("preset", ["path-dual", "rslad", "iad-official", "trades", "mart"])
def test_parts_sum_to_the_loss(preset, student, teacher, batch, threat):
    value, parts = run_step(method_of(preset), batch, step_of(student, teacher, threat, progress=0.5))
    assert sum(parts.values()) == pytest.approx(value, abs=1e-12)


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
