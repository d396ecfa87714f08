"""Names, who brings them, and what happens when one is broken."""

from __future__ import annotations

import dataclasses
import sys

import pytest
import torch
from fake import distribution

import advkd
from advkd import AdvkdError
from advkd.config.build import member
from advkd.networks.device import environment
from advkd.registry import entries, find, load, slot_named
from advkd.registry.installed import installed
from advkd.registry.pyfile import imported
from advkd.registry.sources import source_of


def test_slots_answer_to_singular_and_plural():
    assert slot_named("weighting") == slot_named("weightings") == "weightings"
    with pytest.raises(AdvkdError, match="nearest  weightings"):
        slot_named("wieghtings")


def test_a_wrong_name_suggests_the_right_one():
    with pytest.raises(AdvkdError, match=r"(?s)nearest  boundary.*advkd list weightings"):
        find("weightings", "boundry")


@pytest.mark.usefixtures("site")
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


@pytest.mark.usefixtures("site")
def test_an_option_of_a_kind_that_no_word_can_give_is_told():
    @advkd.register("losses", "several")
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Several:
        """One line about it."""

        losses: list[torch.Tensor]
        kind = "label"

        def __call__(self, logits, target):
            return logits[:, 0]

    with pytest.raises(AdvkdError, match=r"here.losses: is annotated as .*Tensor.*, which no word can give"):
        member("losses", {"use": "several", "losses": [1]}, "here")


@pytest.mark.usefixtures("site")
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


@pytest.mark.usefixtures("site")
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


@pytest.mark.usefixtures("site")
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


def test_listing_imports_nothing_and_a_broken_plugin_breaks_only_its_own_name(site):
    code = {"badplug_code.py": "raise RuntimeError('out of order')\n"}
    distribution(site, "badplug", "[advkd.losses]\nbroken = badplug_code:Loss\n", code)
    assert "broken" in entries("losses")
    assert source_of(find("losses", "broken")).file == site / "badplug_code.py"
    with pytest.raises(AdvkdError, match=r"(?s)cannot be imported from badplug 1\.5.*out of order"):
        load("losses", "broken")
    assert load("losses", "kl")


def test_a_name_claimed_twice_names_both(site):
    distribution(site, "rival", "[advkd.losses]\nkl = rival_code:KL\n")
    with pytest.raises(AdvkdError, match=r"claimed by two distributions: advkd .* and rival 1\.5"):
        load("losses", "kl")


def test_presets_of_other_packages_are_found(site):
    files = {"more/__init__.py": "", "more/mine.yaml": 'about: "Mine."\nextends: rslad\n'}
    distribution(site, "more", "[advkd.presets]\nmine = more\n", files)
    assert advkd.resolve("preset=mine").preset == "mine"
    assert source_of(find("presets", "mine")).headline == "Mine."


def test_a_preset_of_a_package_extends_the_file_beside_it(site):
    base, mine = "extends: rslad\nmethod: {total: 2}\n", "extends: base.yaml\n"
    files = {"more/__init__.py": "", "more/base.yaml": base, "more/mine.yaml": mine}
    distribution(site, "more", "[advkd.presets]\nmine = more\n", files)
    assert advkd.resolve("preset=mine").method.total == 2


def test_a_member_that_is_passed_on_is_found_where_it_is_written(site):
    member = '"""A module."""\n\n\nclass Real:\n    """One line about it."""\n'
    files = {"passing/__init__.py": "from .inner import Real as Shown\n", "passing/inner.py": member}
    distribution(site, "passing", "[advkd.losses]\nshown = passing:Shown\n", files)
    source = source_of(find("losses", "shown"))
    assert (source.file, source.line) == (site / "passing" / "inner.py", 4)
    assert source.headline == "One line about it."


def test_two_modules_that_pass_a_name_to_each_other_end(site):
    files = {"one.py": "from two import Loop\n", "two.py": "from one import Loop\n"}
    distribution(site, "loop", "[advkd.losses]\nloop = one:Loop\n", files)
    assert "Loop is not in" in source_of(find("losses", "loop")).headline


def test_results_name_the_plugins_that_are_installed(site):
    device = torch.device("cpu")
    assert "more" not in environment(device)
    distribution(site, "more", "[advkd.losses]\nmine = more:Loss\n")
    assert environment(device)["more"] == "1.5"


def test_only_what_the_environment_names_is_loaded(site, monkeypatch, caplog):
    for name in ("first", "Second_One"):
        distribution(site, name, f"[advkd.losses]\n{name.lower()} = {name}:Loss\n")
    assert {"first", "second_one", "kl"} <= set(entries("losses"))

    monkeypatch.setenv("ADVKD_PLUGINS", "second.one, absent")
    installed.cache_clear()
    assert {"second_one", "kl"} == {"first", "second_one", "kl"} & set(entries("losses"))
    with pytest.raises(AdvkdError, match=r"ADVKD_PLUGINS leaves out first 1\.5, which has it"):
        load("losses", "first")
    assert "ADVKD_PLUGINS names absent, which is not installed" in caplog.text

    monkeypatch.setenv("ADVKD_PLUGINS", "")
    installed.cache_clear()
    assert {"kl"} == {"first", "second_one", "kl"} & set(entries("losses"))


def test_what_is_left_out_claims_no_name(site, monkeypatch):
    distribution(site, "rival", "[advkd.losses]\nkl = rival:KL\n")
    monkeypatch.setenv("ADVKD_PLUGINS", "")
    installed.cache_clear()
    assert load("losses", "kl").__module__ == "advkd.losses.divergence"


def test_metadata_nobody_can_read_hides_nothing_else(site, caplog):
    distribution(site, "garbled", "[advkd.losses]\nthis line has no equals sign\n")
    assert {"kl", "ce"} <= set(entries("losses"))
    assert "garbled-1.5.dist-info cannot be read" in caplog.text


@pytest.mark.parametrize(
    ("requires", "met"),
    [
        ("", True),
        ("advkd", True),
        ("advkd>=0.1", True),
        ('advkd>=99; extra == "new"', True),
        ("torch>=99", True),
        ("advkd>=99", False),
        ("advkd<0.1", False),
    ],
)
def test_what_is_required_of_advkd_is_held_against_it(requires, met, site):
    code = "class Loss:\n    kind = 'label'\n    def __call__(self, logits, target): return logits\n"
    distribution(site, "needs", "[advkd.losses]\nneedy = needs:Loss\n", {"needs.py": code}, requires)
    if met:
        assert load("losses", "needy").__module__ == "needs"
    else:
        with pytest.raises(AdvkdError, match=r"loss needy is written for another advkd\n *given *needs 1\.5"):
            find("losses", "needy")


def test_what_is_made_in_another_way_is_not_said_to_be_missing(site):
    points = "tried = odd:Tried\nalias = odd:Alias\nabsent = odd:Absent\nnone = odd\n"
    text = "try:\n    class Tried: ...\nfinally:\n    Alias = Tried\n"
    distribution(site, "odd", f"[advkd.losses]\n{points}", {"odd.py": text})
    said = {name: source_of(find("losses", name)).headline for name in ("tried", "alias", "absent", "none")}
    assert said == {
        "tried": "",
        "alias": "",
        "absent": "Absent is not in odd",
        "none": "names no class: write odd:CLASS",
    }
    with pytest.raises(AdvkdError, match=r"write none = odd:CLASS"):
        load("losses", "none")


def test_a_file_imports_its_neighbours(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.path", [*sys.path])
    (tmp_path / "neighbour_of_it.py").write_text("width = 5")
    (tmp_path / "it.py").write_text("from neighbour_of_it import width")
    assert imported(tmp_path / "it.py", "load").width == 5


@pytest.mark.usefixtures("site")
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
