"""Networks and arguments by which a verdict would flatter, or end in an error of Python."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import advkd
from advkd.evaluators.autoattack import AutoAttack
from advkd.outcome import Outcome
from advkd.types import Threat

X, Y = torch.rand(6, 1, 8, 8), torch.zeros(6, dtype=torch.long)
BRIEF = {"evaluators": {"pgd": {"use": "pgd", "steps": 10}}, "curves": {"images": 0}}


class Rounded(nn.Module):
    """A quantiser in front of a network; `through` lets gradients pass it."""

    def __init__(self, net: nn.Module, *, through: bool) -> None:
        super().__init__()
        self.net, self.through = net, through

    def forward(self, x):
        rounded = (7 * x).round() / 7
        return self.net(x + (rounded - x).detach() if self.through else rounded)


def test_a_surrogate_that_answers_alike_is_another_network(plain, digits, threat):
    evaluators = {**BRIEF["evaluators"], "bpda": {"use": "transfer", "source": "bpda"}}
    given = {"curves": {"images": 0}, "evaluators": evaluators}
    few = digits.subset(torch.arange(60))
    nets = {"bpda": Rounded(plain, through=True)}
    found = advkd.audit(Rounded(plain, through=False), few, threat, nets=nets, **given)
    assert found.main.robust < 0.1
    # the same weights in the same form are no network beside the judged one
    nets = {"bpda": Rounded(plain, through=False)}
    found = advkd.audit(Rounded(plain, through=False), few, threat, nets=nets, **given)
    assert any("needs another network, bpda" in text for text in found.about["not_tried"])


class OffGrid(nn.Module):
    """Answers with no number but on images of 17 grey levels."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x):
        off = ((16 * x - (16 * x).round()).abs() > 1e-4).flatten(1).any(1)
        return torch.where(off[:, None], float("nan"), self.net(x))


@pytest.mark.parametrize("suite", ["quick", "compare"])
def test_no_number_is_no_right_answer_of_the_first_class_either(plain, digits, threat, suite):
    first = digits.subset((digits.y == 0).nonzero().squeeze(1)[:12])
    assert advkd.audit(OffGrid(plain), first, threat, suite=suite).main.robust == 0


class AsItStands:
    """An attack that asks the network in the mode it finds it in."""

    kind, knowledge = "fixed-budget", "white-box"

    def passes(self, classes):
        return 1, 0

    def __call__(self, net, batch, threat, generator):
        assert not any(module.training for module in net.modules())
        return Outcome(batch.x)


def test_attacks_of_others_meet_the_network_in_eval_mode(plain, digits, threat):
    advkd.register("evaluators", "as-it-stands")(AsItStands)
    net = nn.Sequential(plain, nn.Dropout(0.5)).train()
    few = digits.subset(torch.arange(20))
    advkd.audit(net, few, threat, evaluators={"mine": "as-it-stands"}, curves={"images": 0})
    assert net.training


class Roots(nn.Module):
    """The gradient of a root at zero is no number."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net((x**2).sqrt())


def test_gradients_that_are_no_number_are_flagged_and_end_no_audit(plain, digits):
    few = digits.subset(torch.arange(20))
    verdict = advkd.audit(Roots(plain), few, Threat(norm="l2", eps=0.8), **BRIEF)
    assert "zero-gradient" in {flag.name for flag in verdict.flags}


class Searching(nn.Module):
    """Takes a step of its own before it answers."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x):
        with torch.enable_grad():
            own = x.detach().clone().requires_grad_(True)
            (gradient,) = torch.autograd.grad(self.net(own).logsumexp(1).sum(), own)
        return self.net(x - 0.01 * gradient.sign())


def test_a_forward_that_differentiates_itself_is_judged(plain, digits, threat):
    assert advkd.audit(Searching(plain), digits.subset(torch.arange(20)), threat, **BRIEF).main.clean > 0.5


def test_what_the_official_code_saw_of_one_network_is_not_told_of_the_next(plain, digits):
    few, suite = digits.subset(torch.arange(4)), {"autoattack": AutoAttack(batch_size=4)}
    large = Threat(eps=0.4)
    for net, told in ((Searching(plain), True), (plain, False)):
        found = advkd.audit(net, few, large, evaluators=suite, curves={"images": 0})
        notes = " ".join(note for notes in found.notes.values() for note in notes)
        assert ("dynamic defense" in notes) == told


class Squeezed(nn.Module):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x).squeeze()


WRONG = {
    "one-hot": (TensorDataset(X, nn.functional.one_hot(Y, 10)), "a label is no whole number"),
    "fractions": (TensorDataset(X, Y + 0.5), "a label is no whole number\n.*0.5 at index 0"),
    "three": (TensorDataset(X, Y, Y), "an item is no pair"),
    "loader": (DataLoader(TensorDataset(X, Y)), "is a DataLoader\n.*loader.dataset"),
}


@pytest.mark.parametrize(
    "door", [advkd.audit, lambda net, data, threat: advkd.evaluate(net, data, threat, {})]
)
def test_what_is_not_taken_is_told(door, plain, threat):
    for data, says in WRONG.values():
        with pytest.raises(advkd.AdvkdError, match=says):
            door(plain, data, threat)
    good = TensorDataset(X, Y)
    with pytest.raises(advkd.AdvkdError, match="threat: is no Threat"):
        door(plain, good, 0.2)
    with pytest.raises(advkd.AdvkdError, match=r"model: is no torch\.nn\.Module"):
        door(lambda x: x, good, threat)
    with pytest.raises(advkd.AdvkdError, match="model: does not answer with logits"):
        door(Squeezed(plain), good, threat)


def test_a_suite_without_attacks_is_told(plain, digits, threat, tmp_path):
    (tmp_path / "mine.yaml").write_text("evaluators:\n")
    assert advkd.audit(plain, digits, threat, suite=str(tmp_path / "mine.yaml"), **BRIEF).main.n
    (tmp_path / "mine.yaml").write_text("evaluator: {fgsm: fgsm}\n")
    with pytest.raises(advkd.AdvkdError, match=r"(?s)evaluator: unknown option.*evaluators: needs a value"):
        advkd.audit(plain, digits, threat, suite=str(tmp_path / "mine.yaml"))


def test_a_threat_is_one_of_those_there_are():
    with pytest.raises(advkd.AdvkdError, match=r"unknown norm\n(?s:.*)nearest  linf"):
        Threat(norm="Linf", eps=0.1)
    with pytest.raises(advkd.AdvkdError, match="eps is no number"):
        Threat(eps="8/255")
