"""A run does not go on with members whose code has changed since."""

from __future__ import annotations

import sys

import pytest
from parts import LOSS

import advkd
from advkd.errors import Interrupted
from advkd.networks import weights
from advkd.registry.pyfile import imported
from advkd.training.member_code import code_of

WORDS = ("preset=standard", "epochs=3", "method.branches.clean.terms.clean.loss=scaled")


@pytest.fixture
def loss(tmp_path, monkeypatch):
    """The file of a loss that is registered."""
    file = tmp_path / "mine.py"
    file.write_text(LOSS.format(1))
    imported(file, "load")
    return file


def stop(record):
    if record.name == "epoch.seconds" and record.epoch == 1:
        raise KeyboardInterrupt


def test_a_run_goes_on_with_the_code_it_was_begun_with_alone(loss, tiny, tmp_path):
    words = [word for word in tiny if not word.startswith("epochs")]
    with pytest.raises(Interrupted):
        advkd.train(advkd.resolve(*words, *WORDS), out=tmp_path / "run", reporters=[stop])
    loss.write_text(LOSS.format(0))
    with pytest.raises(advkd.AdvkdError, match=r"resume: the code of mine\.py has changed"):
        advkd.resume(tmp_path / "run")
    loss.write_text(LOSS.format(1))
    assert advkd.resume(tmp_path / "run").n


def test_of_a_package_every_file_counts(tmp_path, monkeypatch):
    package = tmp_path / "advkd_mine"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "factor.py").write_text("FACTOR = 1\n")
    (package / "loss.py").write_text("from advkd_mine.factor import FACTOR\n" + LOSS.format("FACTOR"))
    monkeypatch.syspath_prepend(tmp_path)
    __import__("advkd_mine.loss")
    run = advkd.resolve(*WORDS)
    before = code_of(run)
    assert list(before) == ["code of advkd_mine"]
    (package / "factor.py").write_text("FACTOR = 2\n")
    assert code_of(run) != before
    assert code_of(advkd.resolve("preset=standard")) == {}


def test_of_a_file_what_it_imports_from_beside_it_counts(tmp_path, monkeypatch):
    (tmp_path / "beside_it.py").write_text(
        "def twice(x):\n    from far_from_it import FACTOR\n    return FACTOR * x\n"
    )
    (tmp_path / "far_from_it.py").write_text("FACTOR = 1\n")
    (tmp_path / "unrelated.py").write_text("")
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "mine.py").write_text("from beside_it import twice\n" + LOSS.format(1))
    imported(tmp_path / "mine.py", "load")
    run, seen = advkd.resolve(*WORDS), set()
    for name in ("mine.py", "beside_it.py", "far_from_it.py", "unrelated.py"):
        seen.add(code_of(run)["code of mine.py"])
        (tmp_path / name).write_text((tmp_path / name).read_text() + "# changed\n")
    assert len(seen) == 4
    seen.add(code_of(run)["code of mine.py"])
    assert len(seen) == 4


def stopped(folder, *words):
    with pytest.raises(Interrupted):
        advkd.train(advkd.resolve(*words), out=folder, reporters=[stop])


def test_a_run_does_not_go_on_with_another_teacher(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("ADVKD_CACHE", str(tmp_path))
    recipe = tmp_path / "own.yaml"
    recipe.write_text("extends: standard\nmethod: {total: 1}\n")
    words = (*(word for word in tiny if not word.startswith("epochs")), "preset=rslad", "epochs=3")
    stopped(tmp_path / "run", *words, f"teacher.preset={recipe}")
    recipe.write_text("extends: standard\nmethod: {total: 2}\n")
    with pytest.raises(advkd.AdvkdError, match="resume: the recipe of the teacher has changed"):
        advkd.resume(tmp_path / "run")
    (made,) = tmp_path.glob("teachers/*/student.safetensors")
    file = tmp_path / "teacher.safetensors"
    file.write_bytes(made.read_bytes())
    words = [word for word in words if not word.startswith("teacher.")]
    stopped(tmp_path / "given", *words, f"teacher={file}")
    numbers, about = weights.read(file, "teacher")
    weights.write(file, {key: 1.01 * value for key, value in numbers.items()}, about)
    with pytest.raises(advkd.AdvkdError, match="resume: the teacher has changed"):
        advkd.resume(tmp_path / "given")


def test_a_cached_teacher_of_other_code_is_refused(loss, tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("ADVKD_CACHE", str(tmp_path))
    recipe = tmp_path / "own.yaml"
    terms = "{branches: {clean: {terms: {clean: {loss: scaled}}}}}"
    recipe.write_text(f"extends: standard\nmethod: {terms}\n")
    run = advkd.resolve(*tiny, "preset=rslad", f"teacher.preset={recipe}")
    advkd.train(run, out=tmp_path / "one")
    advkd.train(run, out=tmp_path / "two")
    loss.write_text(LOSS.format(0.5))
    with pytest.raises(
        advkd.AdvkdError, match=r"trained with other code of mine\.py\n(?s:.*)remove this folder"
    ):
        advkd.train(run, out=tmp_path / "three")
