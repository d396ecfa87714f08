"""Names, who brings them, and what happens when one is broken."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

import advkd
from advkd import AdvkdError, registry
from advkd.config.build import member
from advkd.installed import installed
from advkd.registry import entries, find, load, slot_named
from advkd.sources import source_of


@pytest.fixture
def clean(monkeypatch):
    """A registry that forgets what a test adds."""
    monkeypatch.setattr(registry, "_registered", {})
    yield
    installed.cache_clear()
    registry._imported.cache_clear()


def distribution(folder: Path, name: str, points: str, code: str = "") -> None:
    """An installed distribution, as far as metadata goes."""
    info = folder / f"{name}-1.5.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n")
    (info / "entry_points.txt").write_text(points)
    (folder / f"{name}_code.py").write_text(code)
    installed.cache_clear()


def test_slots_answer_to_singular_and_plural():
    assert slot_named("weighting") == slot_named("weightings") == "weightings"
    with pytest.raises(AdvkdError, match="nearest  weightings"):
        slot_named("wieghtings")


def test_a_wrong_name_suggests_the_right_one():
    with pytest.raises(AdvkdError, match=r"(?s)nearest  boundary.*advkd list weightings"):
        find("weightings", "boundry")


@pytest.mark.usefixtures("clean")
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


@pytest.mark.usefixtures("clean")
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


@pytest.mark.usefixtures("clean")
def test_a_taken_name_and_a_wrong_signature_are_refused():
    with pytest.raises(AdvkdError, match="kl is taken by advkd"):
        advkd.register("losses", "kl")(type("X", (), {"__call__": lambda self, logits, target: logits}))

    class Wrong:
        def __call__(self, logits):
            return logits

    with pytest.raises(AdvkdError, match=r"(?s)__call__\(self, logits\).*__call__\(self, logits.*target"):
        advkd.register("losses", "wrong")(Wrong)
    with pytest.raises(AdvkdError, match="has no losses"):
        advkd.register("methods", "half")(type("Half", (), {"paths": lambda self, batch, step: {}}))


@pytest.mark.usefixtures("clean")
def test_listing_imports_nothing_and_a_broken_plugin_breaks_only_its_own_name(tmp_path, monkeypatch):
    points = "[advkd.losses]\nbroken = badplug_code:Loss\n"
    distribution(tmp_path, "badplug", points, "raise RuntimeError('out of order')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    installed.cache_clear()
    assert "broken" in entries("losses")
    assert source_of(find("losses", "broken")).file == tmp_path / "badplug_code.py"
    with pytest.raises(AdvkdError, match=r"(?s)cannot be imported from badplug 1\.5.*out of order"):
        load("losses", "broken")
    assert load("losses", "kl")


@pytest.mark.usefixtures("clean")
def test_a_name_claimed_twice_names_both(tmp_path, monkeypatch):
    distribution(tmp_path, "rival", "[advkd.losses]\nkl = rival_code:KL\n", "class KL: pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    installed.cache_clear()
    with pytest.raises(AdvkdError, match=r"claimed by two distributions: advkd .* and rival 1\.5"):
        load("losses", "kl")


@pytest.mark.usefixtures("clean")
def test_presets_of_other_packages_are_found(tmp_path, monkeypatch):
    distribution(tmp_path, "more", "[advkd.presets]\nmine = more_presets\n")
    (tmp_path / "more_presets").mkdir()
    (tmp_path / "more_presets" / "__init__.py").write_text("")
    (tmp_path / "more_presets" / "mine.yaml").write_text('about: "Mine."\nextends: rslad\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    installed.cache_clear()
    assert advkd.resolve("preset=mine").preset == "mine"
    assert source_of(find("presets", "mine")).headline == "Mine."
