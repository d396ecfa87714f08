"""What other packages bring, and what becomes of what they break."""

from __future__ import annotations

import pytest
import torch
from fake import distribution

import advkd
from advkd import AdvkdError
from advkd.networks.device import environment
from advkd.registry import entries, find, load
from advkd.registry.installed import installed
from advkd.registry.sources import source_of


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
