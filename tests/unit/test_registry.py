"""Names, who brings them, and what happens when one is broken."""

from __future__ import annotations

import dataclasses
import sys

import pytest
import torch

import advkd
from advkd import AdvkdError
from advkd.config.build import member
from advkd.registry import find, load, slot_named
from advkd.registry.pyfile import imported
from advkd.registry.sources import source_of


def test_slots_answer_to_singular_and_plural():
    assert slot_named("weighting") == slot_named("weightings") == "weightings"
    with pytest.raises(AdvkdError, match="nearest  weightings"):
        slot_named("wieghtings")


def test_a_wrong_name_suggests_the_right_one():
    with pytest.raises(AdvkdError, match=r"(?s)nearest  boundary.*advkd list weightings"):
        find("weightings", "boundry")


def test_a_name_is_registered_for_one_class():
    def made(name, number):
        @dataclasses.dataclass(frozen=True, kw_only=True)
        class Hinge:
            """One line about it."""

            slope: float = number
            kind = "label"

            def __call__(self, logits, target):
                return logits[:, 0] * self.slope

        Hinge.__qualname__ = name
        return Hinge

    advkd.register("losses", "hinge")(made("Hinge", 1.0))
    # a cell of a notebook that is run again
    advkd.register("losses", "hinge")(made("Hinge", 2.0))
    assert load("losses", "hinge")().slope == 2
    with pytest.raises(AdvkdError, match=r"hinge is taken by .*:Hinge"):
        advkd.register("losses", "hinge")(made("Other", 3.0))
    with pytest.raises(AdvkdError, match="my:hinge has a colon"):
        advkd.register("losses", "my:hinge")(made("Hinge", 1.0))
    with pytest.raises(AdvkdError, match=r"presets are YAML files\n.*preset=FILE.yaml"):
        advkd.register("presets", "mine")(made("Hinge", 1.0))


def test_an_option_of_a_kind_that_no_word_can_give_is_told():
    @advkd.register("losses", "several")
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Several:
        """One line about it."""

        losses: list[torch.Tensor]
        kind = "label"

        def __call__(self, logits, target):
            return logits[:, 0]

    with pytest.raises(AdvkdError, match=r"here.losses: is annotated as .*Tensor.*, which words cannot set"):
        member("losses", {"use": "several", "losses": [1]}, "here")


def test_register_and_use():
    @advkd.register("losses", "hinge")
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Hinge:
        """One line about it."""

        slope: float = 1.0
        kind = "label"

        def __call__(self, logits, target):
            return logits.sum(1) * self.slope

    built, dump = member("losses", {"use": "hinge", "slope": "1/2"}, "loss")
    assert built == Hinge(slope=0.5)
    assert dump == {"use": "hinge", "slope": 0.5}
    assert find("losses", "hinge").distribution == "registered in this process"
    source = source_of(find("losses", "hinge"))
    assert source.headline


def test_a_plain_class_of_somebody_else_is_built_too():
    @advkd.register("losses", "plain")
    class Plain:
        kind = "label"

        def __init__(self, power: int = 2) -> None:
            self.power = power

        def __call__(self, logits, target):
            return logits.sum(1)

    assert member("losses", {"use": "plain", "power": 3}, "loss")[0].power == 3
    with pytest.raises(AdvkdError, match=r"loss\.pwoer"):
        member("losses", {"use": "plain", "pwoer": 3}, "loss")


def test_a_taken_name_and_a_wrong_signature_are_refused():
    with pytest.raises(AdvkdError, match="kl is taken by advkd"):
        advkd.register("losses", "kl")(type("X", (), {"__call__": lambda self, logits, target: logits}))

    class Wrong:
        kind = "label"

        def __call__(self, logits):
            return logits

    with pytest.raises(AdvkdError, match=r"(?s)__call__\(self, logits\).*__call__\(self, logits.*target"):
        advkd.register("losses", "wrong")(Wrong)
    kindless = type("Kindless", (), {"__call__": lambda self, logits, target: logits[:, 0]})
    with pytest.raises(
        AdvkdError, match=r'(?s)has no kind.*divergence.*kind: ClassVar\[Literal\[.*\]\] = "label"'
    ):
        advkd.register("losses", "kindless")(kindless)
    kindless.__annotations__ = {"kind": "ClassVar[str]"}
    with pytest.raises(AdvkdError, match="has no kind"):
        advkd.register("losses", "kindless")(kindless)
    kindless.kind = None
    with pytest.raises(AdvkdError, match=r"kind: unknown kind\n *given +None"):
        advkd.register("losses", "kindless")(kindless)
    with pytest.raises(AdvkdError, match="has no losses"):
        advkd.register("methods", "half")(type("Half", (), {"paths": lambda self, batch, step: {}}))


def test_a_file_imports_its_neighbours(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.path", [*sys.path])
    (tmp_path / "neighbour_of_it.py").write_text("width = 5")
    (tmp_path / "it.py").write_text("from neighbour_of_it import width")
    assert imported(tmp_path / "it.py", "load").width == 5


def test_what_a_base_class_declares_and_what_an_audit_hands_in_fit_the_contract():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Base:
        classes: int

    @advkd.register("data", "blobs")
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Blobs(Base):
        """One line about it."""

        shape = (1, 4, 4)

        def open(self, part):
            return []

    @advkd.register("evaluators", "asks-others")
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class AsksOthers:
        """One line about it."""

        kind = "fixed-budget"
        knowledge = "white-box"
        norms = ("linf",)
        nets = ("teacher",)

        def __call__(self, net, batch, threat, generator, *, nets=None, memo=None):
            return None

        def passes(self, classes):
            return None

    assert member("data", {"use": "blobs", "classes": 2}, "data")[0].classes == 2
    assert load("evaluators", "asks-others") is AsksOthers
    AsksOthers.__call__ = lambda self, net, batch, threat, generator, *, nets: None
    with pytest.raises(AdvkdError, match=r"nets\).*(?s:.*)give what goes beyond it a default"):
        advkd.register("evaluators", "insists")(AsksOthers)
