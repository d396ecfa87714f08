"""A run does not go on with members whose code has changed since."""

from __future__ import annotations

import pytest
from parts import LOSS

import advkd
from advkd import registry
from advkd.errors import Interrupted
from advkd.registry.pyfile import imported
from advkd.training.member_code import code_of

WORDS = ("preset=standard", "epochs=3", "method.branches.clean.terms.clean.loss=scaled")


@pytest.fixture
def loss(tmp_path, monkeypatch):
    """The file of a loss that is registered."""
    monkeypatch.setattr(registry, "_registered", {})
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
    monkeypatch.setattr(registry, "_registered", {})
    monkeypatch.syspath_prepend(tmp_path)
    __import__("advkd_mine.loss")
    run = advkd.resolve(*WORDS)
    before = code_of(run)
    assert list(before) == ["code of advkd_mine"]
    (package / "factor.py").write_text("FACTOR = 2\n")
    assert code_of(run) != before
    assert code_of(advkd.resolve("preset=standard")) == {}
