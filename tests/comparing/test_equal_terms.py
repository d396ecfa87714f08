"""What makes entrants equal: settings that nobody changes, and compute."""

import re

import pytest
from compare_parts import SMALL

from advkd import AdvkdError
from advkd.comparing import estimate
from advkd.comparing.estimate import Estimate
from advkd.comparing.plan import planned
from advkd.comparing.request import parsed


def test_a_preset_that_changes_its_setting_is_refused_unless_allowed(tmp_path):
    preset = tmp_path / "longer.yaml"
    preset.write_text("extends: rslad\nepochs: 99\n")
    words = [f"presets=ard,longer:{preset}"]
    with pytest.raises(AdvkdError, match="longer sets epochs=99"):
        planned(parsed(words))
    plan = planned(parsed([*words, "allow=differences"]))
    assert plan.differences == ["epochs: 30 for ard; 99 for longer"]


def test_weights_that_are_averaged_for_one_alone_are_a_change(tmp_path):
    preset = tmp_path / "averaged.yaml"
    preset.write_text("extends: rslad\nmodifiers: {ema: {}}\n")
    with pytest.raises(AdvkdError, match=r"averaged sets modifiers\.ema=\{\}"):
        planned(parsed([f"presets=ard,averaged:{preset}"]))
    plan = planned(parsed(["presets=ard,rslad", "+rslad.modifiers.ema={}"]))
    assert plan.differences[0] == "modifiers.ema.use: null for ard; ema for rslad"
    assert {text.partition(".")[0] for text in plan.differences} == {"modifiers"}


@pytest.mark.parametrize("words", [("epochs=1",), ("longer.epochs=30",), ("ard.epochs=99",)])
def test_what_words_have_levelled_is_no_change_of_a_preset(tmp_path, words):
    preset = tmp_path / "longer.yaml"
    preset.write_text("extends: rslad\nepochs: 99\nstudent: tiny-cnn\nevaluation: {fgsm: fgsm}\n")
    assert planned(parsed([f"presets=ard,longer:{preset}", *words])).differences == []


def test_what_an_entrant_types_is_told_and_not_refused(tmp_path):
    preset = tmp_path / "longer.yaml"
    preset.write_text("extends: rslad\nepochs: 99\n")
    plan = planned(parsed([f"presets=ard,longer:{preset}", "longer.epochs=60"]))
    assert plan.differences == ["epochs: 30 for ard; 60 for longer"]


def test_a_network_that_a_preset_brings_is_a_change_whatever_is_typed_of_it(tmp_path):
    preset = tmp_path / "other.yaml"
    preset.write_text("extends: rslad\nstudent: resnet8\n")
    with pytest.raises(AdvkdError, match="other sets student=resnet8"):
        planned(parsed([f"presets=ard,other:{preset}", "other.student.width=8"]))


def test_a_teacher_that_a_preset_takes_away_is_a_change(tmp_path):
    preset = tmp_path / "alone.yaml"
    preset.write_text("extends: pgd-at\nteacher: null\n")
    with pytest.raises(AdvkdError, match="alone sets teacher=null"):
        planned(parsed([f"presets=pgd-at,alone:{preset}", "suite=compare"]))


def test_equal_compute_gives_all_what_the_first_spends():
    plan = planned(parsed(["presets=path-dual,rslad", "equal=compute", *SMALL, "epochs=10"]))
    # path-dual walks twice and trains at five points, rslad walks once and trains at two
    assert plan.runs["path-dual"].epochs == 10
    assert 20 <= plan.runs["rslad"].epochs <= 23
    assert not [text for text in plan.differences if text.startswith("compute")]


def test_what_is_spent_once_is_not_spent_on_epochs(monkeypatch):
    costs = {"long": Estimate(0, 100, 10, 0.0), "dear": Estimate(500, 50, 3, 0.0)}
    monkeypatch.setattr(estimate, "estimates", lambda runs, timed: costs)
    assert estimate.lengthened({}) == {"long": (10, 1.0), "dear": (10, 1.0)}


def test_compute_that_whole_epochs_miss_is_told():
    plan = planned(parsed(["presets=rslad,path-dual", "equal=compute", *SMALL, "epochs=1"]))
    assert plan.runs["path-dual"].epochs == 1
    [told] = [text for text in plan.differences if text.startswith("compute")]
    assert re.fullmatch(r"compute: path-dual spends 1[0-3]\d % more than rslad", told)


@pytest.mark.parametrize("images", ["split.train=40 batch_size=64", "split.train=14 batch_size=8"])
def test_equal_compute_of_a_handful_of_images(images):
    plan = planned(parsed(["presets=rslad,pgd-at", "equal=compute", *SMALL, *images.split(), "epochs=3"]))
    assert plan.runs["rslad"].epochs == 3
    assert 3 <= plan.runs["pgd-at"].epochs <= 5


def test_entrants_run_by_one_engine():
    with pytest.raises(
        AdvkdError, match=r"(?s)compile or precision cannot.*precision: auto for a; float32 for b"
    ):
        planned(parsed(["presets=a:pgd-at,b:pgd-at", "b.precision=float32", *SMALL]))


def test_of_many_entrants_those_with_the_commonest_value_are_not_named():
    names = "rslad,ard,iad,adaad,trades,pgd-at,mart,path-dual,path-end"
    plan = planned(parsed([f"presets={names}", *SMALL, "iad.epochs=5", "mart.epochs=6"]))
    assert plan.differences == ["epochs: 5 for iad; 6 for mart; 2 for the other 7"]
