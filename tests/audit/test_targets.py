"""What can be judged from the command line, and what is said of everything else."""

from __future__ import annotations

import json
import sys
from importlib.resources import files

import numpy as np
import pytest
import torch
from audit_parts import FILE, QUICK, run
from click.testing import CliRunner

from advkd import api
from advkd.auditing import selftest
from advkd.auditing.selftest import shipped
from advkd.cli import main
from advkd.reporting.gather import gathered
from advkd.reporting.teacher import teachers


@pytest.fixture
def weights(tmp_path):
    """The shipped network as other code would save it."""
    file = tmp_path / "weights.pt"
    torch.save(shipped("robust").net.state_dict(), file)
    return file


@pytest.fixture
def robust(tmp_path):
    """The shipped network as a file of this toolkit."""
    file = tmp_path / "net.safetensors"
    file.write_bytes(files("advkd.auditing").joinpath("robust.safetensors").read_bytes())
    return file


def test_a_run_of_a_method_that_is_not_installed_any_more(tiny, tmp_path):
    folder = tmp_path / "run"
    api.train(api.resolve("preset=rslad", *tiny), out=folder)
    text = (folder / "run.yaml").read_text()
    (folder / "run.yaml").write_text(text.replace("use: branches", "use: of-a-plugin", 1))
    said = run(str(folder), *QUICK, status=2)
    assert "method: unknown method" in said
    assert "give teacher=FILE" in said
    run(str(folder), *QUICK, f"teacher={folder / 'student.safetensors'}")
    assert "teacher" in json.loads(next(folder.glob("eval/*/result.json")).read_text())


def test_a_file_of_this_toolkit_says_what_it_is(robust, tmp_path):
    assert "no check raised a flag" in run(str(robust), *QUICK, f"out={tmp_path / 'out'}")


def test_a_file_of_other_code_needs_a_model_and_data(weights, tmp_path):
    words = (str(weights), *QUICK, f"out={tmp_path / 'out'}")
    assert "on which images, against which threat?" in run(*words, status=2)
    said = run(*words, "setting=digits", status=2)
    assert "model: the file does not say which model" in said
    model = ("model.use=tiny-cnn", "model.width=9")
    assert "worst case" in run(*words, "setting=digits", *model)
    other = (*words[:-1], f"out={tmp_path / 'other'}", "data=digits", "threat.eps=0.1", *model)
    run(*other)
    assert json.loads((tmp_path / "other" / "result.json").read_text())["threat"] == "linf eps 0.1"


def test_strict_does_not_take_an_upper_bound_for_a_verdict(robust, tmp_path):
    words = (str(robust), *QUICK, f"out={tmp_path / 'out'}")
    results = (("budget=0s",), ("--strict", "budget=0s"), ("--strict",))
    codes = [CliRunner().invoke(main, ["eval", *words, *more]).exit_code for more in results]
    assert codes == [0, 3, 0]


@pytest.mark.parametrize(
    ("x", "says"),
    [
        (np.zeros((4, 1, 8, 8), dtype=np.int64), "not uint8 or float\n  given    torch.int64"),
        (np.full((4, 1, 8, 8), 200.0, dtype=np.float32), "pixels must lie in [0,1]\n  given    200 to 200"),
    ],
)
def test_images_of_another_range(x, says, tmp_path):
    (tmp_path / "nets.py").write_text(FILE)
    y = np.arange(4) % 2
    np.savez(tmp_path / "images.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    words = (f"{tmp_path / 'nets.py'}:good", "data=arrays", f"data.path={tmp_path / 'images.npz'}")
    assert says in run(*words, "threat.eps=0.1", "suite=quick", status=2)


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("nowhere", "target: cannot be judged: it is none of the forms"),
        ("nowhere.safetensors", "target: no such file"),
        ("nowhere.py:net", "target: no such file"),
        ("timm:resnet1", "unknown timm model"),
        ("timm:resnet18", "target: was trained for 1000 classes, the data has 10"),
        ("tiny-cnn model=resnet18", "model: is for a file of weights, which this target is not"),
        ("robustbench:Some2020Net", "pip install 'advkd[robustbench]'"),
    ],
)
def test_what_cannot_be_opened(target, says, monkeypatch):
    monkeypatch.setitem(sys.modules, "robustbench", None)
    assert says in run(*target.split(), "setting=digits", *QUICK, status=2)


def test_a_folder_that_is_no_run_and_one_that_is(tmp_path, tiny):
    assert "it has no run.yaml" in run(str(tmp_path), *QUICK, status=2)
    (tmp_path / "run.yaml").write_text("preset: rslad\n")
    file = str(tmp_path)
    assert "data: on which images" in run(file, *QUICK, status=2)


def test_the_official_name_is_not_lent(tmp_path):
    (tmp_path / "nets.py").write_text(FILE)
    words = ("setting=digits", "suite=full", "evaluators.autoattack=art:AutoAttack")
    said = run(f"{tmp_path / 'nets.py'}:good", *words, status=2)
    assert "autoattack is kept for the official suite" in said


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("budget=soon", "budget: is not a duration"),
        ("budget=10", "budget: is not a duration"),
        ("suite=ful", "nearest  full"),
        ("evaluators.pgdd.steps=3", "evaluators.pgdd: no such entry"),
        ("drop=evaluatrs.noise", "evaluatrs: unknown option"),
        ("nets=other.pt", "nets: is a group of entries"),
        (
            "+nets.peer={use: trained, model: tiny-cnn, epochs: 1, batch_size: 8}",
            "nets.peer: can only be the teacher",
        ),
        (
            "teacher={use: trained, model: tiny-cnn, epochs: 1, batch_size: 8}",
            "teacher: can only be the teacher",
        ),
        ("limit=0", "limit: must be at least 1"),
        ("threat.eps=8", "eps exceeds the pixel range"),
    ],
)
def test_words_that_do_not_fit(word, says, tmp_path):
    (tmp_path / "nets.py").write_text(FILE)
    assert says in run(f"{tmp_path / 'nets.py'}:good", "setting=digits", word, status=2)


def test_an_interrupted_audit_says_how_to_go_on(monkeypatch, tmp_path):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("advkd.evaluators.noise.Noise.__call__", interrupted)
    (tmp_path / "nets.py").write_text(FILE)
    words = (f"{tmp_path / 'nets.py'}:good", "setting=digits", *QUICK, f"out={tmp_path / 'out'}")
    assert "go on with: the same command" in run(*words, status=130)
    monkeypatch.undo()
    again = run(*words)
    assert "clean" not in again.split("accuracy in %")[0]


def test_selftest_fails_where_a_check_is_blind(monkeypatch):
    only = selftest.run
    monkeypatch.setattr(selftest, "run", lambda: only(("honest", "softmax output")))
    done = CliRunner().invoke(main, ["selftest"])
    assert done.exit_code == 0
    assert done.output.count("ok") == 2
    monkeypatch.setattr("advkd.auditing.probe.probabilities", lambda probe: None)
    done = CliRunner().invoke(main, ["selftest"])
    assert done.exit_code == 1
    assert "NOT SEEN" in done.output


def test_data_given_in_python_must_be_given_again(tmp_path, digits):
    api.train(api.resolve("preset=standard", "epochs=1"), data=(digits, digits), out=tmp_path)
    assert "data: the run was given data in Python" in run(str(tmp_path), *QUICK, status=2)
    run(str(tmp_path), *QUICK, "data=digits", f"out={tmp_path / 'out'}")


def test_a_teacher_given_in_python_is_not_replaced_by_another(tiny, tmp_path):
    run_of = api.resolve("preset=rslad", *tiny)
    teacher = api.train(run_of, out=tmp_path / "first").net
    api.train(run_of, teacher=teacher, out=tmp_path / "second")
    run(str(tmp_path / "second"), *QUICK)
    (file,) = (tmp_path / "second").glob("eval/*/result.json")
    assert "teacher" not in json.loads(file.read_text())
    assert "rows: none of these is there" in run(str(tmp_path / "second"), *QUICK, "rows=[teacher]", status=2)
    api.train(api.resolve("preset=pgd-at", *tiny), teacher=teacher, out=tmp_path / "third")
    pairs = (("first", "second"), ("second", "third"), ("third",))
    found = [teachers(gathered([tmp_path / name for name in names])) for names in pairs]
    assert [len(those) for those in found] == [2, 1, 0]


def test_the_result_of_something_else_is_not_written_over(robust, tmp_path):
    (tmp_path / "result.json").write_text("{}")
    said = run(str(robust), *QUICK, f"out={tmp_path}", status=2)
    assert "out: holds a result that is not from an audit" in said
    assert (tmp_path / "result.json").read_text() == "{}"


def test_a_verdict_is_told_although_its_run_has_not_ended(tiny, tmp_path):
    folder = tmp_path / "run"
    api.train(api.resolve("preset=trades", *tiny), out=folder)
    (folder / "result.json").unlink()
    said = run(str(folder), *QUICK, "rows=[best]")
    assert "the report of the run is as it was" in said
    assert "worst case" in said
