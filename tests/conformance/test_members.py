"""Every registered name of every slot keeps the contract of its slot."""

from __future__ import annotations

import dataclasses
import inspect

import pytest
import torch
from parts import small_net, undecided
from torch import nn

from advkd.config.build import Builder, member, options_of
from advkd.evaluation import confirmed
from advkd.modes import evaluating
from advkd.outcome import Outcome
from advkd.protocols import SLOT_OF, points_of
from advkd.registry import SLOTS, entries, load
from advkd.sources import source_of
from advkd.step import Step
from advkd.streams import streams
from advkd.types import Batch, Path, Threat
from advkd.view import View
from advkd.walk import walked

MEMBER_SLOTS = list(SLOT_OF.values())
NEEDS = {
    "product": {"left": "end", "right": "teacher-trust"},
    "art": {"name": "FastGradientMethod"},
    "square": {"queries": 100},
    "cw-l2": {"steps": 10, "searches": 2},
    "advlib": {"name": "apgd"},
}


def names(slot: str) -> list[str]:
    return list(entries(slot))


def built(slot: str, name: str):
    return member(slot, {"use": name, **NEEDS.get(name, {})}, slot)[0]


@pytest.mark.parametrize(("slot", "name"), [(s, n) for s in MEMBER_SLOTS for n in names(s)])
def test_is_a_frozen_dataclass_of_keywords(slot, name):
    cls = load(slot, name)
    assert dataclasses.is_dataclass(cls)
    assert cls.__dataclass_params__.frozen
    kinds = {parameter.kind for parameter in inspect.signature(cls).parameters.values()}
    assert kinds <= {inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize(("slot", "name"), [(s, n) for s in SLOTS for n in names(s)])
def test_listed_without_import_with_file_and_line(slot, name):
    (entry,) = entries(slot)[name]
    source = source_of(entry)
    assert source.file.is_file()
    assert source.line > 0
    assert source.headline.strip()
    assert entry.distribution == "advkd"
    assert entry.version


def test_every_slot_of_a_contract_has_a_name():
    assert set(MEMBER_SLOTS) <= set(SLOTS)
    assert all(names(slot) for slot in SLOTS)


@pytest.fixture
def step(student, teacher, threat) -> Step:
    return Step(
        nets={"student": student, "teacher": teacher}, threat=threat, streams=streams(0), progress=0.5
    )


@pytest.fixture
def path(student, batch, threat) -> Path:
    from advkd.walk import Probe

    probe = Probe(student)
    attack = load("attacks", "pgd")(steps=4)
    with evaluating(student):
        points = attack(
            lambda x: nn.functional.cross_entropy(probe(x), batch.y, reduction="none"),
            batch.x,
            threat,
            torch.Generator().manual_seed(0),
        )
        return walked(points, probe, batch.y, (batch.y + 1) % 5)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("name", names("attacks"))
def test_attack_yields_its_start_then_points_inside(name, norm, batch):
    threat = Threat(norm=norm, eps=0.2)
    attack = built("attacks", name)
    points = list(attack(lambda x: x.sum((1, 2, 3)), batch.x, threat, torch.Generator()))
    assert torch.equal(points[0], batch.x)
    assert len(points) == getattr(attack, "steps", 1) + 1
    for point in points:
        assert point.shape == batch.x.shape
        assert not point.requires_grad
        confirmed(point, batch.x, threat, name)


@pytest.mark.parametrize("goal", [False, True])
@pytest.mark.parametrize("name", names("weightings"))
def test_weighting_is_finite_positive_and_without_gradient(name, goal, path, step):
    path = path if goal else dataclasses.replace(path, goal=None)
    weighting = built("weightings", name)
    weights = weighting(View(path, step), step)
    assert weights.shape == path.x.shape[:2]
    assert torch.isfinite(weights).all()
    assert (weights >= 0).all()
    assert not weights.requires_grad
    limit = points_of(weighting, len(path))
    if limit is not None:
        outside = [k for k in range(len(path)) if k not in limit]
        assert not weights[outside].any()


@pytest.mark.parametrize("name", names("losses"))
def test_loss_is_one_number_per_sample_with_gradient(name, batch, student, teacher):
    loss = built("losses", name)
    logits = student(batch.x)
    target = batch.y if loss.kind == "label" else teacher(batch.x)
    values = loss(logits, target)
    assert values.shape == batch.y.shape
    values.sum().backward()
    assert student[0].weight.grad.abs().sum() > 0


@pytest.mark.parametrize("name", names("paths"))
def test_path_keeps_labels_and_starts_clean(name, batch, student, teacher, threat, step):
    def walk(x, y, goal=None):
        return Path(torch.stack([x, (x + 0.05).clamp(0, 1)]), y, goal)

    path = built("paths", name)(walk, batch, step)
    assert path.x.shape[1:] == batch.x.shape
    assert torch.equal(path.x[0], batch.x)
    assert torch.equal(path.y, batch.y)
    if path.goal is not None:
        assert (path.goal != path.y).all()


SIZED = [
    n for n in names("models") if n not in ("timm", "file", "trained", "wideresnet", "robustbench", "hub")
]


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32)])
@pytest.mark.parametrize("name", SIZED)
def test_model_takes_any_size_and_answers_with_logits(name, shape):
    net = built("models", name)(7, shape)
    assert net(torch.rand(2, *shape)).shape == (2, 7)
    assert {"normalise.mean", "normalise.std"} <= set(net.state_dict())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", names("evaluators"))
def test_evaluator_stays_inside_and_never_helps(name, batch):
    net = small_net(6, seed=4).float()
    x = batch.x.float()
    undecided(net, x)
    clean = net.eval()(x).argmax(1)
    batch, threat = Batch(x, clean), Threat(eps=0.1)
    evaluator = built("evaluators", name)
    needed = {"nets": {n: small_net(8, seed=2).float().eval() for n in getattr(evaluator, "nets", ())}}
    extra = needed if needed["nets"] else {}
    outcome = evaluator(net, batch, threat, torch.Generator().manual_seed(0), **extra)
    assert evaluator.kind in ("fixed-budget", "minimal-norm")
    assert evaluator.knowledge in ("white-box", "black-box")
    assert isinstance(outcome, Outcome)
    confirmed(outcome.x, x, threat, name)
    assert (net(outcome.x).argmax(1) == clean).sum() <= len(x)


def test_every_option_takes_its_own_default():
    """What `show` prints as a default can be written back as a word."""
    for slot in MEMBER_SLOTS:
        for name in names(slot):
            for key, (annotation, default) in options_of(load(slot, name)).items():
                if default is inspect.Parameter.empty or not isinstance(default, (int, float, str, bool)):
                    continue
                problems = []
                value, _ = Builder(problems).build(annotation, default, f"{slot}.{name}.{key}")
                assert not problems
                assert value == default
