"""Words that would be read as something else, or not at all, and groups that are given whole."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

import advkd
from advkd import AdvkdError
from advkd.cli import main

BASE = ("preset=rslad", "setting=digits")


@pytest.mark.parametrize(
    ("word", "kept"),
    [
        ("evaluation={}", set()),
        ("evaluation={fgsm: fgsm}", {"fgsm"}),
        ("evaluation={pgd-20: {restarts: 1}, mine: {use: pgd, steps: 3}}", {"pgd-20", "mine"}),
    ],
)
def test_a_group_given_whole_holds_what_it_names(word, kept):
    run = advkd.resolve(*BASE, word)
    assert set(run.evaluation) == kept
    if "pgd-20" in kept:
        assert (run.evaluation["pgd-20"].steps, run.evaluation["pgd-20"].restarts) == (20, 1)


def test_terms_given_whole_and_an_entry_that_is_changed():
    run = advkd.resolve(*BASE, "method.branches.untargeted.terms={robust: {scale: 2}}")
    assert list(run.method.branches["untargeted"].terms) == ["robust"]
    assert run.method.branches["untargeted"].terms["robust"].scale == 2
    run = advkd.resolve(*BASE, "method.branches.untargeted={walk: away}")
    assert set(run.method.branches["untargeted"].terms) == {"robust", "clean"}


@pytest.mark.parametrize("use", ["", "use: branches, "])
def test_a_group_within_a_mapping_is_given_whole_as_well(use):
    only = "terms: {only: {loss: ce, target: label, weight: end}}"
    (branch,) = advkd.resolve(*BASE, f"method.branches.untargeted={{{only}}}").method.branches.values()
    assert list(branch.terms) == ["only"]
    mine = f"attack: pgd, ascend: {{loss: ce, target: label}}, path: untargeted, {only}"
    run = advkd.resolve(*BASE, f"method={{{use}branches: {{mine: {{{mine}}}}}}}")
    assert list(run.method.branches) == ["mine"]
    run = advkd.resolve(*BASE, "method.branches.untargeted={terms: {robust: {scale: 2}}}")
    terms = run.method.branches["untargeted"].terms
    assert {name: term.scale for name, term in terms.items()} == {"robust": 2}


def test_a_preset_chooses_no_setting_and_a_setting_no_preset(tmp_path):
    (tmp_path / "mine.yaml").write_text("extends: rslad\nsetting: fashion-mnist\n")
    with pytest.raises(AdvkdError, match=r"names a setting, which words alone choose\n.*fashion-mnist"):
        advkd.resolve(f"preset={tmp_path / 'mine.yaml'}")
    (tmp_path / "own.yaml").write_text("extends: digits\npreset: rslad\n")
    with pytest.raises(AdvkdError, match="names a preset, which words alone choose"):
        advkd.resolve("preset=ard", f"setting={tmp_path / 'own.yaml'}")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("method={on: true}",), r"method\.True: unknown option"),
        (("augment={1: 2}",), r"augment\.1: unknown option"),
        (("evaluation=[pgd]",), "evaluation: is a group of entries"),
        (("student=[tiny-cnn]",), "student: names no model"),
        (("split=[1]",), "split: is a group of options"),
        (("+preset=rslad",), "preset"),
        (("drop=setting",), "setting: is an option"),
        (("threat.eps=.nan",), r"threat\.eps: should be a finite number"),
        (("optimizer.lr=.inf",), r"optimizer\.lr: should be a finite number"),
        (("split.test=0",), r"split\.test: must be at least 1"),
        (("teacher.epochs=0",), r"teacher\.epochs: must be at least 1"),
        (("teacher.preset=nosuch",), r"teacher\.preset: unknown preset"),
        (("teacher.preset=ard",), r"teacher\.preset: needs a teacher itself"),
    ],
)
def test_what_cannot_be_meant_is_said(words, says):
    with pytest.raises(AdvkdError, match=says):
        advkd.resolve(*BASE, *words)


def test_a_file_extends_one_other(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("extends: [rslad]\n")
    with pytest.raises(AdvkdError, match=r"extends one other by name\n.*\['rslad'\]"):
        advkd.resolve(f"preset={file}")


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("run", "preset=rslad", "out="), "out: is empty"),
        (("compare", "presets=rslad,ard", "dry="), "dry: is empty"),
        (("run", "preset=rslad", "out=a", "out=b"), "out: is given twice\n  given    a, b"),
        (("show", "preset=rslad", "load=a.py", "load=b.py"), "load: is given twice"),
        (("show", "preset=rslad", "resume=runs/x"), "resume: unknown option"),
        (("eval", "x.py:y", "setting=digits", "resume=runs/x"), "resume: unknown option"),
    ],
)
def test_words_of_a_command_stand_once_and_where_they_belong(command, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 2
    assert says in done.output
    assert not list(tmp_path.iterdir())


def test_a_student_that_has_diverged_still_gets_its_report(tmp_path):
    words = ("epochs=1", "split.train=64", "split.test=20", "evaluation={fgsm: fgsm}", "optimizer.lr=1e38")
    advkd.train(advkd.resolve("preset=standard", "setting=digits", *words), out=tmp_path / "run")
    with np.load(tmp_path / "run" / "paths.npz") as paths:
        assert np.isnan(paths["untargeted.margin.student"]).all()
    assert CliRunner().invoke(main, ["report", str(tmp_path / "run")]).exit_code == 0
