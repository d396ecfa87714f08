"""Every registered name of every slot keeps the contract of its slot."""

from __future__ import annotations

import pytest
from members import ABSENT, of, table

from advkd.protocols import SLOT_OF
from advkd.registry import SLOTS, entries
from advkd.registry.sources import source_of
from advkd.testing import conformance

test_attacks = conformance("attacks", *of("attacks"))
test_paths = conformance("paths", *of("paths"))
test_weightings = conformance("weightings", *of("weightings"))
test_losses = conformance("losses", *of("losses"))
test_methods = conformance("methods", *of("methods"))
test_modifiers = conformance("modifiers", *of("modifiers"))
test_data = conformance("data", *of("data"))
test_models = conformance("models", *of("models"))
test_evaluators = conformance("evaluators", *of("evaluators"))
test_reporters = conformance("reporters", *of("reporters"))
test_presets = conformance("presets", *of("presets"))
test_settings = conformance("settings", *of("settings"))
test_suites = conformance("suites", *of("suites"))


@pytest.mark.parametrize("slot", SLOTS)
def test_no_name_is_left_out(slot):
    absent = {name for where, name in ABSENT if where == slot}
    assert entries(slot)
    assert set(entries(slot)) == set(table(slot)) | absent
    assert not set(table(slot)) & absent
    assert all(table(slot).values())
    assert f"test_{slot}" in globals()


def test_every_contract_has_a_slot():
    assert set(SLOT_OF.values()) <= set(SLOTS)


@pytest.mark.parametrize(("slot", "name"), [(s, n) for s in SLOTS for n in entries(s)])
def test_listed_without_import_with_file_and_line(slot, name):
    (entry,) = entries(slot)[name]
    source = source_of(entry)
    assert source.file.is_file()
    assert source.line > 0
    assert source.headline.strip()
    assert entry.distribution == "advkd"
    assert entry.version


@pytest.mark.parametrize("name", ["tiny-cnn", "resnet8", "mobilenetv2", "wideresnet", "timm"])
def test_normalisation_is_saved_with_a_model(name):
    (source,) = table("models")[name]
    assert {"normalise.mean", "normalise.std"} <= set(source(7, (3, 32, 32)).state_dict())
