"""Words of `compare` that make nothing."""

import pytest
from compare_parts import SMALL, WORDS, command


def test_dry_predicts_and_makes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, said = command("dry=true", *WORDS)
    assert status == 0
    assert "of training, 0 of 4 cells are trained already" in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", ["True", "1", "yes"])
def test_dry_takes_true_or_false_and_nothing_is_made_by_mistake(tmp_path, value):
    status, said = command(f"dry={value}", *WORDS, f"out={tmp_path / 'it'}")
    assert (status, (tmp_path / "it").exists()) == (2, False)
    assert "dry: unknown value" in said
    assert "write dry=true" in said


def test_one_entrant_that_cannot_be_named_keeps_all_from_starting(tmp_path):
    status, said = command("presets=rslad,rslda", *SMALL, f"out={tmp_path / 'it'}")
    assert (status, (tmp_path / "it").exists()) == (2, False)
    assert "nearest  rslad" in said


def test_a_limit_below_the_classes_is_seen_before_training(tmp_path):
    status, said = command(*WORDS, "limit=5", f"out={tmp_path / 'it'}")
    assert (status, (tmp_path / "it").exists()) == (2, False)
    assert "limit: must leave an image for each of 10 classes" in said
