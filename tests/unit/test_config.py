"""Words, layers and the resolved run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parts import resolved

import advkd
from advkd import AdvkdError
from advkd.config.layers import load_yaml, named, over, yaml_text
from advkd.config.words import parse


@pytest.mark.parametrize(
    ("text", "op", "key", "value"),
    [
        ("a.b=3", "set", ("a", "b"), 3),
        ("a=1e-3", "set", ("a",), 0.001),
        ("a=8/255", "set", ("a",), "8/255"),
        ("a=b=c", "set", ("a",), "b=c"),
        ("a=[1, 2]", "set", ("a",), [1, 2]),
        ("a=null", "set", ("a",), None),
        ('a=""', "set", ("a",), ""),
        (
            "+a.b={loss: kl, target: teacher@start}",
            "add",
            ("a", "b"),
            {"loss": "kl", "target": "teacher@start"},
        ),
        ("~a.b", "drop", ("a", "b"), None),
        ("drop=a.b", "drop", ("a", "b"), None),
    ],
)
def test_words(text, op, key, value):
    (word,) = parse((text,))
    assert (word.op, word.key, word.value) == (op, key, value)


def test_every_bad_word_is_reported():
    with pytest.raises(AdvkdError) as caught:
        parse(("epochs", "a..b=1", "x={", "fine=1"))
    assert len(caught.value.problems) == 3


def test_swapping_a_component_drops_its_options():
    base = {"loss": {"use": "kl", "temperature": 4}}
    assert over(base, {"loss": "ce"}) == {"loss": {"use": "ce"}}
    assert over(base, {"loss": {"use": "ce"}}) == {"loss": {"use": "ce"}}
    assert over(base, {"loss": {"temperature": 2}}) == {"loss": {"use": "kl", "temperature": 2}}
    assert over({"loss": "kl"}, {"loss": {"temperature": 2}}) == {"loss": {"use": "kl", "temperature": 2}}
    assert base == {"loss": {"use": "kl", "temperature": 4}}


@given(st.from_regex("[0-9]{1,4}e[0-9]{1,4}|[0-9a-f]{8}|[a-z ]{1,5}", fullmatch=True))
def test_text_that_looks_like_a_number_is_read_back_as_text(tmp_path_factory, text):
    file = tmp_path_factory.getbasetemp() / "number.yaml"
    values = {"hash": text, "cells": {text: [text, 1e-5, None]}}
    file.write_text(yaml_text(values))
    assert load_yaml(file, "here") == values


def test_null_drops_a_branch_of_an_extended_preset():
    assert set(resolved().method.branches) == {"untargeted", "targeted"}
    assert set(advkd.resolve("preset=path-single").method.branches) == {"untargeted"}


def test_a_preset_file_of_ones_own(tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("extends: rslad\nmethod: {total: 2}\n")
    run = advkd.resolve(f"preset={mine}")
    assert run.method.total == 2
    assert run.preset == "mine"
    (tmp_path / "loop.yaml").write_text(f"extends: {tmp_path / 'loop.yaml'}\n")
    with pytest.raises(AdvkdError, match="extends itself"):
        named("presets", str(tmp_path / "loop.yaml"))
    (tmp_path / "child.yaml").write_text("extends: mine.yaml\nmethod: {bn_update: each}\n")
    assert advkd.resolve(f"preset={tmp_path / 'child.yaml'}").method.total == 2
    mine.write_text("extends: rslda\n")
    with pytest.raises(AdvkdError, match=rf"preset {mine}\.extends: unknown preset\n.*\n  nearest  rslad"):
        named("presets", str(mine))
    mine.write_text("- a list\n")
    with pytest.raises(AdvkdError, match="must hold a mapping"):
        named("presets", str(mine))


def test_setting_then_preset_then_words():
    assert resolved().epochs == 30
    assert advkd.resolve("preset=standard").resolved["validation"]["use"] == "clean"
    assert advkd.resolve("preset=standard", "validation=pgd").resolved["validation"]["use"] == "pgd"
    assert resolved("epochs=3", "epochs=4").epochs == 4


def test_fractions_wherever_a_real_number_is_expected():
    run = resolved("threat.eps=8/255", "optimizer.lr=1/8", "method.branches.untargeted.terms.clean.scale=1/3")
    assert run.threat.eps == pytest.approx(8 / 255)
    assert run.optimizer.lr == 0.125
    assert run.method.branches["untargeted"].terms["clean"].scale == pytest.approx(1 / 3)
    assert resolved("schedule.milestones=[1/2, 3/4]").schedule.milestones == (0.5, 0.75)


def test_a_drop_in_an_unknown_member_leaves_the_member_to_be_told():
    with pytest.raises(AdvkdError, match=r"method: unknown method\n *given +brnches"):
        advkd.resolve("preset=rslad", "method=brnches", "drop=method.branches.untargeted")


def test_a_preset_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.yaml").write_text("extends: pgd-at\nepochs: 3\n")
    assert advkd.resolve("preset=~/mine.yaml").epochs == 3


def test_branches_and_terms_come_and_go():
    run = resolved(
        "~method.branches.targeted",
        "drop=method.branches.untargeted.terms.path",
        "+method.branches.untargeted.terms.more={loss: ce, target: label, weight: end, scale: 0.5}",
    )
    assert set(run.method.branches) == {"untargeted"}
    assert set(run.method.branches["untargeted"].terms) == {"robust", "clean", "hard", "more"}


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("method.branches.untargted.terms.robust.scale=2", "nearest  untargeted"),
        (
            "method.branches.untargeted.terms.more={loss: ce}",
            r"write \+method\.branches\.untargeted\.terms\.more",
        ),
        ("+method.branches.targeted={}", "is there already"),
        ("+epochs=3", "not a new entry"),
        ("~epochs", "only entries can be dropped"),
        ("~method.branches.nowhere", "no such entry"),
        ("~methd.branches.untargeted", r"methd: unknown option\n.*\n *nearest +method"),
        ("drop=method.brnches.untargeted", r"method\.brnches: unknown option\n.*\n *nearest +branches"),
        ("drop=reporers.x", r"reporers: unknown option\n.*\n *nearest +reporters"),
        ("drop=data.x.y", r"data\.x: unknown option"),
        ("+evaluation.cw={use: cw-l2, steps: 0}", r"evaluation\.cw\.steps: must be at least 1"),
        ("+evaluation.cw={use: cw-l2, learning_rate: 0}", r"evaluation\.cw\.learning_rate: must be above 0"),
        ("threat.eps='1e400'", r"threat\.eps: should be a valid number"),
        ("method.branches.untargeted.terms.robust.target=peer@start", "network in a target"),
        ("teacher=null", "preset path-dual needs one"),
        ("teacher=", "teacher: is empty"),
        ("epochs=0", "epochs: must be at least 1"),
        ("split.validation=0", r"split\.validation"),
        ("student=resnet8 width", "unknown model"),
        ("threat=linf", "is a group of options"),
        ("student=3", "names no model"),
        ("student.width=1.5", r"student\.width: should be"),
        ("student.width='8'", r"student\.width: should be"),
        ("optimizer.nesterov=1", r"optimizer\.nesterov: should be"),
        ("optimizer.name=sdg", "'sgd' or 'adamw'"),
    ],
)
def test_what_is_wrong_is_named(word, says):
    with pytest.raises(AdvkdError, match=says):
        resolved(word)


def test_no_word_is_dropped_in_silence_by_a_later_one():
    """`student.width=4 student=resnet8` trained at the width of resnet8; a null means it."""
    with pytest.raises(
        AdvkdError, match=r"student\.width: is dropped: student comes after it(?s:.)*after student"
    ):
        resolved("student.width=4", "student=resnet8")
    branches = "method.branches={targeted: {path: targeted}}"
    with pytest.raises(AdvkdError, match=r"steps: is dropped: method\.branches comes after it"):
        resolved("method.branches.untargeted.attack.steps=4", branches)
    assert resolved("student=resnet8", "student.width=4").resolved["student"]["width"] == 4
    assert resolved("student.width=4", "student=tiny-cnn").resolved["student"]["width"] == 4
    assert advkd.resolve("preset=pgd-at", "teacher.epochs=3", "teacher=null").teacher is None


def test_all_problems_come_at_once():
    with pytest.raises(AdvkdError) as caught:
        resolved("epohcs=3", "+epochs=3", "~epochs", "~method.branches.nowhere")
    # words that cannot be applied come before what is wrong with values
    assert [problem.place for problem in caught.value.problems] == [
        "epochs",
        "epochs",
        "method.branches.nowhere",
    ]
    with pytest.raises(AdvkdError) as caught:
        resolved("epohcs=3", "student.widht=3", "optimizer.lr=fast")
    assert {problem.place for problem in caught.value.problems} == {"epohcs", "student.widht", "optimizer.lr"}


def test_a_step_longer_than_eps_warns(caplog):
    resolved("method.branches.untargeted.attack.step_size=1.5 eps")
    assert "longer than eps" in caplog.text


def test_prefix_names_fill_the_first_option():
    assert resolved("student=timm:resnet18").resolved["student"]["name"] == "resnet18"
    run = resolved("setting=mnist", "data.root=here")
    assert (run.resolved["data"]["name"], run.resolved["data"]["root"]) == ("MNIST", "here")


def test_teacher_free_presets_need_none():
    assert advkd.resolve("preset=pgd-at", "teacher=null").teacher is None


def test_a_mistake_in_a_file_names_the_file(tmp_path):
    preset, setting = tmp_path / "mine.yaml", tmp_path / "here.yaml"
    preset.write_text("extends: rslad\nmethod: {branches: {untargeted: {walks: away}}}\n")
    setting.write_text("extends: digits\nepochs: many\n")
    words = (f"preset={preset}", f"setting={setting}")
    with pytest.raises(AdvkdError) as caught:
        advkd.resolve(*words)
    assert f"given    walks in preset {preset}" in str(caught.value)
    assert f"in setting {setting}" in str(caught.value)
    with pytest.raises(AdvkdError) as caught:
        advkd.resolve(*words, "epochs=few")
    assert f"in setting {setting}" not in str(caught.value)
