"""The perturbed weights, the gradient there, and what is left of it afterwards."""

from __future__ import annotations

import copy

import pytest
import torch
from parts import small_net
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close
from trained import Steps, method_of, same_bits, state

from advkd.modifiers.awp import AWP
from advkd.networks.engine import Engine
from advkd.networks.modes import batch_norms, logits_of
from advkd.step import Step
from advkd.streams import streams
from advkd.types import Batch, Threat

GAMMA = 0.02
PERTURBED = {"0.weight", "5.weight"}


def steps_of(preset, student, teacher, since=0.0, **more) -> Steps:
    return Steps(method_of(preset, **more), student, teacher, {"awp": AWP(gamma=GAMMA, since=since)})


def written_out(student: nn.Module, x: torch.Tensor, y: torch.Tensor) -> dict[str, torch.Tensor]:
    """The gradient of cross-entropy at `x`, taken at weights perturbed on a copy, as published."""
    proxy = copy.deepcopy(student)
    F.cross_entropy(proxy(x), y).backward()
    live = copy.deepcopy(student)
    with torch.no_grad():
        for (name, w), p in zip(live.named_parameters(), proxy.parameters(), strict=True):
            if name in PERTURBED:
                w += GAMMA * w.norm() * p.grad / p.grad.norm()
    F.cross_entropy(live(x), y).backward()
    return {name: p.grad for name, p in live.named_parameters()}


def test_the_gradient_is_that_of_the_published_formula(student, teacher, batch):
    steps = steps_of("pgd-at", student, teacher)
    x = steps.method.paths(batch, steps.step())["untargeted"].x[-1]
    found = {}
    steps(batch, lambda: found.update({k: p.grad.clone() for k, p in steps.student.named_parameters()}))
    wanted = written_out(student, x, batch.y)
    assert found.keys() == wanted.keys()
    for name, gradient in wanted.items():
        assert_close(found[name], gradient, rtol=0, atol=1e-12)
    plain = copy.deepcopy(student)
    F.cross_entropy(plain(x), batch.y).backward()
    assert not torch.allclose(plain[0].weight.grad, found["0.weight"], rtol=1e-3)


@pytest.mark.parametrize("preset", ["trades", "rslad", "mart", "path-dual"])
def test_weights_move_uphill_by_gamma_of_their_norm_and_come_back(preset, student, teacher, batch):
    steps, plain = (steps_of(preset, student, teacher, since) for since in (0.0, 0.9))
    before = state(steps.student)
    there = {}
    steps.optimizer.step = lambda: there.update(after=state(steps.student))
    loss = steps(batch, lambda: there.update(inside=state(steps.student)))
    for name, parameter in steps.student.named_parameters():
        move = (there["inside"][name] - before[name]).norm()
        wanted = GAMMA * before[name].norm() if name in PERTURBED else torch.tensor(0.0)
        assert move.item() == pytest.approx(wanted.item(), rel=1e-9), name
        assert torch.equal(there["after"][name], before[name])
        assert parameter.grad is not None
    assert loss > plain(batch)


def test_batch_norm_moves_once_and_from_the_second_forward_alone(student, teacher, batch):
    for preset, forwards in (("pgd-at", 1), ("trades", 2)):
        steps = steps_of(preset, student, teacher)
        steps(batch)
        (norm,) = batch_norms(steps.student)
        assert norm.num_batches_tracked == forwards
    seen = {}
    steps = steps_of("pgd-at", student, teacher)
    handle = steps.student[0].register_forward_hook(
        lambda module, args, output: (
            seen.update(mean=output.mean((0, 2, 3)).detach()) if module.training else None
        )
    )
    steps(batch)
    handle.remove()
    wanted = 0.9 * student[1].running_mean + 0.1 * seen["mean"]
    assert_close(steps.student[1].running_mean, wanted, rtol=0, atol=1e-12)


def test_before_since_nothing_happens(student, teacher, batch):
    late, none = (
        steps_of("trades", student, teacher, since=0.6),
        Steps(method_of("trades"), student, teacher, {}),
    )
    assert late(batch) == none(batch)
    assert same_bits(state(late.student), state(none.student))


def test_what_a_method_trains_beside_the_student_is_left_alone(student, teacher, batch):
    steps = steps_of("path-dual", student, teacher, branch_bn="split")
    (own,) = (module for name, module in steps.modules.items() if name != "student")
    before, inside = state(own), {}
    steps(batch, lambda: inside.update({k: p.detach().clone() for k, p in own.named_parameters()}))
    assert all(torch.equal(value, before[name]) for name, value in inside.items())
    barely = {"awp": AWP(gamma=1e-9, since=0.0)}
    ends = []
    for modifiers in (barely, {}):
        steps = Steps(method_of("path-dual", branch_bn="split"), student, teacher, modifiers)
        steps(batch)
        (own,) = (module for name, module in steps.modules.items() if name != "student")
        ends.append([own.norms[0].num_batches_tracked, own.norms[0].weight.grad])
    assert ends[0][0] == ends[1][0] > before["norms.0.num_batches_tracked"]
    assert_close(ends[0][1], ends[1][1], rtol=1e-5, atol=1e-8)


def test_weights_come_back_when_the_losses_fail(student, teacher, batch):
    steps = steps_of("trades", student, teacher)
    before = state(steps.student)

    def fail():
        assert not same_bits(state(steps.student), before)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        steps(batch, fail)
    assert all(torch.equal(p, before[name]) for name, p in steps.student.named_parameters())


def test_dropout_is_the_same_in_both_passes_and_as_without(teacher, batch):
    net = small_net(4, seed=1)
    net.insert(5, nn.Dropout(0.5))
    ends = []
    for modifiers in ({"awp": AWP(since=0.0)}, {}):
        masks = []
        steps = Steps(method_of("pgd-at"), net.train(), teacher, modifiers)
        steps.student[5].register_forward_hook(
            lambda module, args, output, masks=masks: masks.append(output == 0) if module.training else None
        )
        torch.manual_seed(3)
        steps(batch)
        ends.append(torch.rand(1))
        assert all(torch.equal(mask, masks[0]) for mask in masks)
    assert torch.equal(*ends)
    assert len(masks) == 1


@pytest.mark.parametrize("preset", ["path-dual", "iad", "adaad"])
def test_eval_mode_answers_are_read_once_and_before_any_weight_moves(preset, student, teacher, batch):
    asked = []
    for modifiers in ({"awp": AWP(gamma=GAMMA, since=0.0)}, {}):
        steps, seen = Steps(method_of(preset), student, teacher, modifiers), []
        handles = [net.register_forward_hook(listening(seen)) for net in (steps.student, teacher)]
        steps(batch)
        for handle in handles:
            handle.remove()
        asked.append(seen)
    assert len(asked[0]) == len(asked[1])
    assert all(torch.equal(one, two) for one, two in zip(*asked, strict=True))


def listening(seen: list[torch.Tensor]):
    return lambda module, args, output: None if module.training else seen.append(output.detach())


def test_the_frozen_twin_sees_what_the_student_is():
    student, x = small_net(4, seed=1).float().train(), torch.rand(6, 1, 6, 6)
    fast = Engine(bf16=False, compiled=False)(student)
    folded = Engine(bf16=True)(student)
    step = Step(nets={"student": fast}, threat=Threat(eps=0.1), streams=streams(0), progress=0.5)

    def gradient() -> dict[str, torch.Tensor]:
        return {name: torch.ones_like(p) for name, p in student.named_parameters()}

    before = logits_of(fast, x), logits_of(folded, x)
    with AWP(gamma=0.5, since=0.0).around_step(student, gradient, step):
        fast.check("student")
        assert_close(logits_of(fast, x), logits_of(student, x))
        assert not torch.allclose(logits_of(folded, x), before[1], rtol=0.1)
    fast.check("student")
    assert torch.equal(logits_of(fast, x), before[0])
    assert torch.equal(logits_of(folded, x), before[1])


def test_a_zero_gradient_perturbs_nothing(student, teacher):
    step = Step(nets={"student": student}, threat=Threat(eps=0.1), streams=streams(0), progress=0.5)
    before = state(student)
    zeros = {name: torch.zeros_like(p) for name, p in student.named_parameters()}
    with AWP(since=0.0).around_step(student, lambda: zeros, step):
        assert same_bits(state(student), before)
    with AWP(since=0.0).around_step(student, dict, step):
        assert same_bits(state(student), before)


def test_it_never_touches_the_teacher(student, teacher, batch: Batch):
    before = state(teacher)
    steps_of("adaad", student, teacher)(batch)
    assert same_bits(state(teacher), before)
    assert all(p.grad is None for p in teacher.parameters())
