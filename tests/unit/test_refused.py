"""Words that would do something else than they say, or fail when all is trained, are refused at once."""

from __future__ import annotations

import pytest

import advkd
from advkd.config.run import Split
from advkd.config.words import value_of
from advkd.data.digits import Digits
from advkd.networks.device import chosen
from advkd.splits import split


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("/data/my set #1", r"takes #1 for a comment(?s:.*)here=\"\.\.\.\""),
        ("#1", "takes #1 for a comment"),
        ("[1, 2] # two", "takes # two for a comment"),
        ("a\nb: c", "a value is one line"),
        ("010", "reads 010 as 8"),
        ("-010", "reads -010 as -8"),
        ("1:30", "reads 1:30 as 90"),
        ("{a: [1, 010]}", "reads 010 as 8"),
    ],
)
def test_a_value_that_yaml_reads_otherwise_is_refused(text, says):
    with pytest.raises(advkd.AdvkdError, match=says):
        value_of(text, "here")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'/data/my set #1'", "/data/my set #1"),
        ("a#b", "a#b"),
        ("'010'", "010"),
        ("timm:resnet18", "timm:resnet18"),
        ("0.10", 0.1),
        ("0", 0),
        ("{a: 'b #c', d: 10}", {"a": "b #c", "d": 10}),
        ("''", ""),
    ],
)
def test_a_value_that_is_quoted_or_plain_is_taken(text, value):
    assert value_of(text, "here") == value


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ("evaluation={t: transfer}",),
            r"evaluation\.t: needs another network(?s:.*)given +teacher(?s:.*)advkd eval",
        ),
        (("validation=transfer",), "validation: needs another network"),
        (("teacher.validation=transfer",), r"teacher\.validation: needs another network"),
        (
            ("student={use: trained, model: resnet8, epochs: 1, batch_size: 2}",),
            "student: can only be the teacher of a run",
        ),
    ],
)
def test_words_that_no_run_can_follow(words, says):
    with pytest.raises(advkd.AdvkdError, match=says):
        advkd.resolve("preset=rslad", *words)


def test_what_is_refused_of_a_run_is_an_evaluator_of_its_audit(tiny, tmp_path):
    from advkd.auditing.case import resolve_case

    advkd.train(advkd.resolve(*tiny, "preset=standard", "epochs=1"), out=tmp_path / "run")
    case = resolve_case(str(tmp_path / "run"), "+evaluators.mine={use: transfer}")
    assert case.evaluators["mine"].nets == ("teacher",)


def test_a_test_limit_below_the_classes_is_seen_before_training():
    with pytest.raises(advkd.AdvkdError, match=r"split\.test: must leave an image for each of 10"):
        split(Digits(), Split(test=5))
    assert len(split(Digits(), Split(test=10)).test()) == 10


@pytest.mark.parametrize("name", ["trained", "tiny-cnn", "file"])
def test_a_folder_called_like_a_model_does_not_take_its_name(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir()
    (tmp_path / "mine").mkdir()
    from advkd.config.resolve import file_or_name

    assert file_or_name(name) == {"use": name}
    assert file_or_name(f"./{name}") == {"use": "file", "path": f"./{name}"}
    assert file_or_name("mine") == {"use": "file", "path": "mine"}


def test_a_device_without_numbers_is_refused():
    with pytest.raises(advkd.AdvkdError, match="torch cannot use it here"):
        chosen("meta")


def test_a_run_folder_is_a_student_to_go_on_from(tmp_path):
    student = advkd.resolve("preset=trades", f"student={tmp_path}").resolved["student"]
    assert (student["use"], student["path"]) == ("file", str(tmp_path))


def test_a_name_in_other_letters_is_recognised():
    with pytest.raises(advkd.AdvkdError, match=r"nearest +rslad"):
        advkd.resolve("preset=RSLAD")
