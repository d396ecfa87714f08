"""Modifiers as one: with every method, worn by the student, and in a run."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch
import yaml
from torch import nn
from trained import Steps, method_of, same_bits, state

import advkd
from advkd.config.build import member
from advkd.evaluation import evaluate
from advkd.networks import weights
from advkd.registry import entries
from advkd.reporting.reading import row_of
from advkd.splits import split
from advkd.training.modifier_stack import Modified

PRESETS, MODIFIERS = list(entries("presets")), list(entries("modifiers"))
AT_ONCE = {"awp": {"since": 0.0}, "swa": {"since": 0.0}}


def built(name: str):
    return member("modifiers", {"use": name, **AT_ONCE.get(name, {})}, name)[0]


@pytest.mark.parametrize("name", MODIFIERS)
@pytest.mark.parametrize("preset", PRESETS)
def test_composes_with_every_method(preset, name, student, teacher, batch):
    teacher_before, random = state(teacher), torch.get_rng_state()
    steps = Steps(method_of(preset), student, teacher, {name: built(name)})
    plain = Steps(method_of(preset), student, teacher, {})
    losses = []
    for progress in (0.5, 1.0):
        losses.append(steps(batch))
        steps.modified.epoch_end(lambda: [batch.x], progress)
    wanted = [plain(batch), plain(batch)]
    assert all(torch.isfinite(torch.tensor(losses)))
    # a modifier of the losses shows from the first step on, one of the weights never changes the training
    assert (losses != wanted) == hasattr(built(name), "around_step")
    assert same_bits(state(steps.student), state(plain.student)) == (losses == wanted)
    for key, count in state(plain.student).items():
        if key.endswith("num_batches_tracked"):
            assert torch.equal(steps.student.state_dict()[key], count)
    own = state(steps.student)
    with steps.modified.worn():
        worn = state(steps.student)
    assert same_bits(state(steps.student), own)
    assert {key: value.shape for key, value in worn.items()} == {k: v.shape for k, v in own.items()}
    assert same_bits(worn, own) != hasattr(built(name), "weights")
    assert same_bits(state(teacher), teacher_before)
    assert all(p.grad is None for p in teacher.parameters())
    assert torch.equal(torch.get_rng_state(), random)


def test_hooks_nest_and_the_outer_is_left_when_the_inner_cannot_be_entered(student, teacher, batch):
    both = {"one": built("awp"), "two": built("awp")}
    steps = Steps(method_of("trades"), student, teacher, both)
    before = state(steps.student)
    step = steps.step()
    paths = steps.method.paths(batch, step)
    asked = []

    def once() -> None:
        asked.append(state(steps.student))
        if len(asked) == 2:
            raise RuntimeError
        steps.backward(paths, batch, step)

    # held, lest the collector of frames puts the weights back
    with pytest.raises(RuntimeError) as held:
        steps.modified.around_step(step, once)
    assert held.type is RuntimeError
    assert not torch.equal(asked[1]["0.weight"], before["0.weight"])
    assert same_bits(state(steps.student), before)


def test_own_weights_come_back_when_validation_fails(student, teacher, batch):
    steps = Steps(method_of("trades"), student, teacher, {"ema": built("ema")})
    steps(batch)
    steps(batch)
    own = state(steps.student)

    def validate() -> None:
        with steps.modified.worn():
            assert not same_bits(state(steps.student), own)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        validate()
    assert same_bits(state(steps.student), own)


def test_a_training_works_on_copies(student):
    option = built("ema")
    Modified({"ema": option}, {"student": student})
    assert option.modules() == {}


@pytest.mark.parametrize("words", [("+modifiers.ema={}",), ("+modifiers.swa={since: 1/2}",)])
def test_a_run_validates_and_writes_the_average(words, tiny, tmp_path):
    run = advkd.resolve(*tiny, "preset=pgd-at", *words)
    seen = []
    result = advkd.train(run, out=tmp_path, reporters=[seen.append])
    (name,) = run.modifiers
    saved = weights.read(tmp_path / "checkpoint.safetensors", "test")[0]
    kept = f"modifier.{name}.average|module."
    average = {key.removeprefix(kept): v for key, v in saved.items() if key.startswith(kept)}
    own = {key.removeprefix("student|"): v for key, v in saved.items() if key.startswith("student|")}
    last, about = weights.read(tmp_path / "student-last.safetensors", "test")
    assert same_bits(last, average)
    assert not same_bits(last, own)
    assert about["modifiers"] == run.resolved["modifiers"]
    net = run.student(10, (1, 8, 8))
    net.load_state_dict(average)
    images = split(run.data, run.split).validation
    found = evaluate(net, images, run.threat, {"pgd": run.validation}, batch_size=run.eval_batch_size)
    robust = [r.value for r in seen if r.name == "validation.robust"]
    assert robust[-1] == found.robust
    assert result.modifiers == (name,)
    assert row_of(tmp_path, None).name == f"pgd-at + {name}"
    assert json.loads((tmp_path / "result.json").read_text())["modifiers"] == run.resolved["modifiers"]
    assert yaml.safe_load((tmp_path / "run.yaml").read_text())["modifiers"] == run.resolved["modifiers"]


def test_swa_leaves_the_training_alone_and_draws_from_the_seed_of_the_run(tiny, tmp_path):
    def trained(*words: str, outside: int) -> dict[str, torch.Tensor]:
        torch.manual_seed(0)
        net = nn.Sequential(nn.Dropout(0.3), nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten())
        net.append(nn.Linear(4 * 36, 10))
        torch.manual_seed(outside)
        run, folder = advkd.resolve(*tiny, "preset=standard", "epochs=2", *words), tmp_path / f"{outside}"
        advkd.train(run, student=net, out=folder)
        return weights.read(folder / "checkpoint.safetensors", "test")[0]

    plain = trained(outside=1)
    one, two = (trained("+modifiers.swa={since: 0}", outside=outside) for outside in (2, 3))
    assert all(torch.equal(value, one[key]) for key, value in plain.items())
    assert same_bits(one, two)


def test_a_modifier_of_ones_own_in_a_run(tiny, tmp_path, monkeypatch):
    seen = []

    @advkd.register("modifiers", "watch")
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Watch:
        """Notes what it is told."""

        def after_step(self, student, step):
            seen.append(("step", step.epoch, step.index, student.training))

        def epoch_end(self, student, images, progress):
            seen.append(("epoch", progress, [len(x) for x in images()]))

    advkd.train(advkd.resolve(*tiny, "preset=standard", "epochs=2", "+modifiers.watch={}"), out=tmp_path)
    steps = [("step", epoch, index, True) for epoch in range(2) for index in range(8)]
    ends = [("epoch", 0.5, [32] * 8), ("epoch", 1.0, [32] * 8)]
    assert seen == [*steps[:8], ends[0], *steps[8:], ends[1]]


def test_awp_of_a_run_asks_the_teacher_no_more(tiny, tmp_path):
    words = (*tiny, "preset=rslad", "epochs=1")
    plain = advkd.train(advkd.resolve(*words), out=tmp_path / "plain").cost
    awp = advkd.train(advkd.resolve(*words, "+modifiers.awp={since: 0}"), out=tmp_path / "awp").cost
    assert awp["teacher_forwards"] == plain["teacher_forwards"]
    # two train-mode forwards a step, once more
    assert awp["student_forwards"] == plain["student_forwards"] + 2 * 8 * 32
    assert awp["student_backwards"] == plain["student_backwards"] + 2 * 8 * 32
