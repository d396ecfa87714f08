"""Attacks search on a fast twin; the verdict is that of the judged network in float32."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from audit_parts import BRIEF, untrained
from torch import Tensor, nn

import advkd
from advkd.auditing import search
from advkd.auditing.search import Search, Searches
from advkd.config.build import member
from advkd.config.case import AuditPlan
from advkd.data.digits import Digits
from advkd.errors import AdvkdError
from advkd.evaluators.gradient import PGDEvaluator
from advkd.networks.engine import Engine
from advkd.networks.folding import Folded
from advkd.networks.modes import logits_of
from advkd.outcome import Outcome
from advkd.types import Batch, Threat

FAST = BRIEF | {"precision": "bf16", "compile": "never"}


class Easy(nn.Module):
    """A twin that is always wrong: it sees success everywhere."""

    def __init__(self, net: nn.Module, engine: Engine) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        return -self.net(x)


def few(n: int = 20) -> Batch:
    generator = torch.Generator().manual_seed(0)
    return Batch(torch.rand(n, 1, 8, 8, generator=generator), torch.zeros(n, dtype=torch.long))


@pytest.mark.parametrize("misled", [False, True])
def test_the_verdict_is_what_the_network_itself_says_of_the_attacked_images(
    misled, robust, digits, threat, tmp_path, monkeypatch
):
    if misled:
        monkeypatch.setattr(search, "Search", Easy)
        monkeypatch.setattr(search, "_misleading", lambda *_: "")
    verdict = advkd.audit(robust, digits, threat, out=tmp_path, save="images", **FAST)
    assert verdict.cost["engine"] == {"bf16": True, "compiled": False}
    assert "bf16" in (tmp_path / "report.html").read_text()
    with np.load(tmp_path / "examples.npz") as file:
        for name in BRIEF["evaluators"]:
            entry = verdict.main.entries[name]
            answers = logits_of(robust, torch.from_numpy(file[f"model.{name}.images"])).argmax(1)
            assert torch.equal(answers == digits.y[entry.tried], entry.right[entry.tried])


def test_success_on_the_twin_alone_is_attacked_again_in_float32(robust, digits, threat, monkeypatch):
    monkeypatch.setattr(search, "Search", Easy)
    monkeypatch.setattr(search, "_misleading", lambda *_: "")
    misled = advkd.audit(robust, digits, threat, **FAST)
    plain = advkd.audit(robust, digits, threat, **BRIEF | {"precision": "float32"})
    for name in ("fgsm", "pgd", "cw-linf"):
        assert misled.main.entries[name].again > 0
    # every image the twin was wrong about met the same attacks, on the network itself
    assert misled.main.survivors.sum() <= plain.main.survivors.sum() + 2


@dataclass(frozen=True, kw_only=True)
class Lazy:
    """Hands back the very batch where it attacks the twin, else moves it by eps."""

    kind: ClassVar[str] = "fixed-budget"
    knowledge: ClassVar[str] = "black-box"

    def passes(self, classes: int):
        """None."""
        return 0, 0

    def __call__(self, net: nn.Module, batch: Batch, threat: Threat, generator: torch.Generator) -> Outcome:
        if isinstance(net, Easy):
            return Outcome(batch.x)
        return Outcome(batch.x + threat.eps * torch.where(batch.x < 0.5, 1, -1))


def test_an_evaluator_that_hands_back_its_batch_does_not_lose_the_start(robust, digits, threat, monkeypatch):
    monkeypatch.setattr(search, "Search", Easy)
    monkeypatch.setattr(search, "_misleading", lambda *_: "")
    advkd.register("evaluators", "lazy")(Lazy)
    verdict = advkd.audit(robust, digits, threat, **FAST | {"evaluators": {"it": "lazy"}})
    entry = verdict.main.entries["it"]
    assert entry.again == entry.tried.sum()
    assert (entry.distance[entry.tried] > 0.19).all()


def test_the_twin_is_trusted_by_images_of_every_class(robust, monkeypatch, tmp_path):
    images = Digits().open("test")
    images = images.subset(images.y.argsort(stable=True))
    asked: list[Batch] = []

    def searches(engine: Engine, batch: Batch) -> Searches:
        asked.append(batch)
        return Searches(engine, batch)

    monkeypatch.setattr("advkd.auditing.audit.Searches", searches)
    brief = {"evaluators": {"fgsm": "fgsm"}, "curves": {"images": 0}, "batch_size": 64}
    advkd.audit(robust, images, Threat(eps=0.1), out=tmp_path, **brief)
    assert len(asked[0].y.unique()) == 10
    # an audit that goes on knows its networks by their answers to the first images
    with np.load(tmp_path / "examples.npz") as file:
        answers = json.loads(str(file["about"]))["nets"]["model"]["answers"]
    torch.testing.assert_close(torch.tensor(answers), logits_of(robust, images.x[:16]))


@pytest.mark.parametrize("word", [{"precision": "float32"}, {"compile": "always"}])
def test_another_engine_than_the_one_it_was_begun_with_is_refused(
    word, robust, digits, threat, tmp_path, monkeypatch
):
    begun = advkd.audit(robust, digits, threat, out=tmp_path, **FAST)
    monkeypatch.setattr("advkd.networks.engine.cannot_compile", lambda device: "")
    says = r"belongs to an audit that was (searched in bf16|not compiled)(.|\n)*choose another out"
    with pytest.raises(AdvkdError, match=says):
        advkd.audit(robust, digits, threat, out=tmp_path, **FAST | word)
    for same in (FAST, BRIEF):
        again = advkd.audit(robust, digits, threat, out=tmp_path, **same)
        assert again.cost["engine"] == begun.cost["engine"]


def test_a_twin_with_other_gradients_is_not_searched(monkeypatch, caplog):
    monkeypatch.setattr(search, "Search", Easy)
    net = untrained(4)
    with caplog.at_level(logging.INFO, "advkd"):
        assert Searches(Engine(bf16=True), few())(net) is net
    assert "attacks search in plain float32: the fast twin has other gradients" in caplog.text


def test_a_twin_whose_logits_are_rounded_away_is_not_searched(robust, digits, caplog):
    class Shifted(nn.Module):
        def __init__(self, by: float) -> None:
            super().__init__()
            self.net, self.by = robust, by

        def forward(self, x: Tensor) -> Tensor:
            return self.net(x) + self.by

    batch = Batch(*map(torch.stack, zip(*((x, torch.tensor(y)) for x, y in digits), strict=True)))
    searches = Searches(Engine(bf16=True), Batch(batch.x[:64], batch.y[:64]))
    assert searches(near := Shifted(0.0)) is not near
    with caplog.at_level(logging.INFO, "advkd"):
        assert searches(far := Shifted(60.0)) is far
    assert "attacks search in plain float32: the fast twin has other margins" in caplog.text


@pytest.mark.parametrize("by", [0.0, 60.0])
def test_a_verdict_says_how_it_was_searched(by, robust, digits, threat):
    robust.net[-1].bias.data += by
    verdict = advkd.audit(robust, digits, threat, **FAST)
    assert verdict.cost["engine"] == Engine(bf16=by == 0).about
    refused = {entry.refused for name, entry in verdict.main.entries.items() if name != "clean"}
    assert all(reason.startswith("the fast twin has other margins") for reason in refused) == (by > 0)


def test_a_network_that_resists_is_searched_as_it_is(caplog):
    class Stubborn(nn.Module):
        def __deepcopy__(self, memo: dict[int, object]) -> nn.Module:
            raise TypeError("no copies of me")

    net = Stubborn()
    with caplog.at_level(logging.INFO, "advkd"):
        assert Searches(Engine(bf16=True), few())(net) is net
    assert "attacks search in plain float32: TypeError: no copies of me" in caplog.text


def test_searching_leaves_the_network_alone():
    net = untrained(4)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    layout = net[0].weight.stride()
    twin = Searches(Engine(bf16=True), few())(net)
    assert twin is not net
    assert net[0].weight.stride() == layout
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())


@pytest.mark.parametrize("n", [1, 32, 33, 64, 65, 128, 150, 230])
def test_any_number_of_images_goes_through_calls_of_few_sizes(n, monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda forward, **_: forward)
    twin, sizes = Search(untrained(4), Engine(compiled=True)), set()
    twin.fast.register_forward_hook(lambda module, args, output: sizes.add(len(args[0])))
    x = few(n).x.requires_grad_()
    answer = twin(x)
    assert sizes <= set(search.CHUNKS)
    torch.testing.assert_close(answer, logits_of(twin.fast, x), rtol=1e-5, atol=1e-5)
    sizes.clear()
    (gradient,) = torch.autograd.grad(answer.sum(), x)
    assert gradient.flatten(1).any(1).all()


def test_in_float32_networks_of_much_arithmetic_are_searched_folded_and_in_chunks():
    net = member("models", {"use": "tiny-cnn", "width": 16}, "model")[0](10, (1, 28, 28)).eval()
    sizes: list[int] = []
    batch = Batch(torch.rand(300, 1, 28, 28), torch.arange(300) % 10)
    twin = Searches(Engine(), batch)(net)
    assert sum(isinstance(module, Folded) for module in twin.fast.twin.modules()) == 3
    twin.fast.register_forward_hook(lambda module, args, output: sizes.append(len(args[0])))
    torch.testing.assert_close(twin(batch.x), logits_of(net, batch.x), rtol=1e-5, atol=1e-5)
    assert sizes == [128, 128, 44]
    small = untrained(4)
    assert Searches(Engine(), few())(small) is small


def test_exact_evaluators_search_the_network_itself(robust, digits, threat):
    suite = {"evaluators": {"autoattack": {"use": "autoattack"}}, "curves": {"images": 0}}
    ten = digits.subset(torch.arange(10))
    runs = [
        advkd.audit(robust, ten, threat, **suite, precision=precision, compile="never")
        for precision in ("bf16", "float32")
    ]
    one, other = (run.main.entries["autoattack"] for run in runs)
    assert torch.equal(one.right, other.right)
    assert torch.equal(one.distance.nan_to_num(), other.distance.nan_to_num())
    assert one.again == 0


@pytest.mark.parametrize(("subset", "images"), [({}, 1000), ({"pgd": 5}, 5)])
def test_an_audit_costs_what_its_subsets_ask_for(subset, images, monkeypatch):
    monkeypatch.setattr(search, "decided", lambda net, shape, passes, *rest: passes)
    plan = AuditPlan(suite="mine", evaluators={"pgd": PGDEvaluator(steps=3, restarts=1)}, subset=subset)
    forward, backward = plan.evaluators["pgd"].passes(10)
    assert search.engine_for(untrained(10), plan, (1, 8, 8), 10, 1000) == (forward + 2 * backward) * images
