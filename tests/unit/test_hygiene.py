"""What a walk must leave exactly as it found it, also when the objective raises."""

from __future__ import annotations

from contextlib import suppress

import pytest
import torch
from one_step import method_of, step_of

from advkd.registry import entries

ATTACKS = [name for name, (entry,) in entries("attacks").items() if entry.target.startswith("advkd.")]
"""Those of the toolkit itself; what a bridge brings is held to the same by the conformance kit."""


def snapshot(student, teacher):
    nets = (student, teacher)
    return (
        [m.training for net in nets for m in net.modules()],
        [(k, v.clone()) for net in nets for k, v in net.state_dict().items()],
        [None if p.grad is None else p.grad.clone() for net in nets for p in net.parameters()],
        torch.get_rng_state(),
    )


def same(one, two) -> bool:
    equal = one[0] == two[0]
    equal &= all(a == c and torch.equal(b, d) for (a, b), (c, d) in zip(one[1], two[1], strict=True))
    for a, b in zip(one[2], two[2], strict=True):
        equal &= (a is None) == (b is None) and (a is None or torch.equal(a, b))
    return equal and torch.equal(one[3], two[3])


@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize("raises", [False, True])
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_walk_leaves_no_trace(attack, raises, mode, student, teacher, batch, threat, monkeypatch):
    student[2].eval()
    student[0].weight.grad = torch.ones_like(student[0].weight)
    change = {"branches": {"untargeted": {"attack": {"use": attack}}}, "attack_mode": mode}
    method = method_of("adaad", change)
    before = snapshot(student, teacher)
    calls = []
    right = teacher.forward

    def failing(x):
        calls.append(1)
        if raises and len(calls) > 1:
            raise RuntimeError("the objective failed")
        return right(x)

    monkeypatch.setattr(teacher, "forward", failing)
    if raises and attack == "fgsm":
        calls.append(1)
    if raises:
        with pytest.raises(RuntimeError, match="the objective failed"):
            method.paths(batch, step_of(student, teacher, threat))
    else:
        path = method.paths(batch, step_of(student, teacher, threat))["untargeted"]
        assert not path.x.requires_grad
    assert calls
    assert same(before, snapshot(student, teacher))


def test_the_check_sees_a_trace(student, teacher, batch, threat):
    before = snapshot(student, teacher)
    method = method_of("ard", {"attack_mode": "train", "attack_bn": "published"})
    method.paths(batch, step_of(student, teacher, threat))
    assert not same(before, snapshot(student, teacher))
    before = snapshot(student, teacher)
    with suppress(RuntimeError):
        student[0].weight.sum().backward()
    assert not same(before, snapshot(student, teacher))


@pytest.mark.parametrize("attack", ATTACKS)
def test_logits_kept_by_a_walk_are_those_of_eval_mode(attack, student, teacher, batch, threat):
    method = method_of("rslad", {"branches": {"untargeted": {"attack": {"use": attack}}}})
    path = method.paths(batch, step_of(student, teacher, threat))["untargeted"]
    student.eval()
    with torch.no_grad():
        for k, logits in path.logits.items():
            torch.testing.assert_close(logits, student(path.x[k]), rtol=0, atol=1e-12)
    # of all points but the clean image and the last, which no attack asks about
    assert set(path.logits) == set(range(1, len(path) - 1))
