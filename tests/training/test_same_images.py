"""Images that come or change on disk: neither a cached teacher nor a run goes on with others unnoticed."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch.utils.data import TensorDataset

import advkd
from advkd.cli import main
from advkd.errors import Interrupted
from advkd.training.folder import RUN
from advkd.training.teachers import IMAGES, cached


def add(folder, begin: str, count: int) -> None:
    """Puts images of two classes, dark and bright, into a folder without train and test."""
    random = np.random.default_rng(0)
    for label, low in (("bright", 150), ("dark", 0)):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            pixels = random.integers(low, low + 100, (8, 8), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{begin}{i:03}.png")


@pytest.fixture
def words(tmp_path, monkeypatch):
    monkeypatch.setenv("ADVKD_CACHE", str(tmp_path / "cache"))
    add(tmp_path / "images", "m", 50)
    return (
        "setting=digits",
        f"data={{use: folder, path: {tmp_path / 'images'}}}",
        "student.width=4",
        "teacher.model.width=4",
        "teacher.preset=standard",
        "teacher.epochs=12",
        "teacher.batch_size=16",
        "epochs=2",
        "batch_size=16",
        "compile=never",
        "validation=fgsm",
        "evaluation={fgsm: fgsm}",
    )


def stop(record) -> None:
    if record.name == "epoch.seconds" and record.epoch == 1:
        raise KeyboardInterrupt


def stopped_student(record) -> None:
    if record.stage == "student":
        stop(record)


def test_a_cached_teacher_of_other_images_is_refused_and_said_where_it_lies(words, tmp_path):
    run = advkd.resolve("preset=kd", *words)
    advkd.train(run, out=tmp_path / "a")
    advkd.train(run, out=tmp_path / "b")
    # sorted first: others are test images now, and some of them the teacher knows
    add(tmp_path / "images", "a", 10)
    with pytest.raises(
        advkd.AdvkdError, match=r"(?s)other training images and validation images.*do +remove"
    ) as caught:
        advkd.train(run, out=tmp_path / "c")
    assert str(cached(run)) in str(caught.value)
    # nothing is known of a teacher of before
    (cached(run) / IMAGES).unlink()
    advkd.train(run, out=tmp_path / "c")


def test_a_stopped_training_of_a_teacher_does_not_go_on_with_other_images(words, tmp_path):
    run = advkd.resolve("preset=kd", *words)
    with pytest.raises(Interrupted):
        advkd.train(run, out=tmp_path / "a", reporters=[stop])
    add(tmp_path / "images", "a", 10)
    with pytest.raises(
        advkd.AdvkdError, match=r"other training images and validation images(?s:.*)\.partial"
    ):
        advkd.train(run, out=tmp_path / "b")


def test_a_run_does_not_go_on_with_other_images_on_disk(words, tmp_path):
    with pytest.raises(Interrupted):
        advkd.train(advkd.resolve("preset=kd", *words), out=tmp_path / "run", reporters=[stopped_student])
    add(tmp_path / "images", "a", 10)
    with pytest.raises(advkd.AdvkdError, match="begun with other training and validation images"):
        advkd.resume(tmp_path / "run")
    for file in (tmp_path / "images").glob("*/a*.png"):
        file.unlink()
    assert advkd.resume(tmp_path / "run").folder == tmp_path / "run"


def test_a_test_image_that_cannot_be_read_costs_no_training(words, tmp_path):
    for part in ("train", "test"):
        add(tmp_path / "halves" / part, "m", 20)
    broken = tmp_path / "halves" / "test" / "dark" / "x.png"
    broken.write_text("no image")
    given = ("preset=standard", *words, f"data.path={tmp_path / 'halves'}")
    with pytest.raises(advkd.AdvkdError, match=rf"(?s)x\.png.*resume={tmp_path / 'run'} goes on"):
        advkd.train(advkd.resolve(*given), out=tmp_path / "run")
    broken.unlink()
    assert advkd.resume(tmp_path / "run").n == 40
    assert (tmp_path / "run" / "metrics.jsonl").read_text().count("epoch.seconds") == 2


def test_a_run_of_before_goes_on(words, tmp_path):
    with pytest.raises(Interrupted):
        advkd.train(advkd.resolve("preset=standard", *words), out=tmp_path / "run", reporters=[stop])
    file = tmp_path / "run" / RUN
    text = file.read_text()
    file.write_text(text[: text.index("images:")] + text[text.index("preset:") :])
    add(tmp_path / "images", "a", 10)
    assert advkd.resume(tmp_path / "run").n == 24


def test_a_run_does_not_go_on_with_another_test_set_than_it_was_given(tmp_path, tiny):
    x, y = torch.rand(200, 1, 8, 8, generator=torch.Generator().manual_seed(0)), torch.arange(200) % 4
    train, one, two = (
        TensorDataset(x[part], y[part]) for part in (slice(100), slice(100, 150), slice(150, 200))
    )
    run = advkd.resolve(*tiny, "preset=standard", "split.train=null", "split.test=null")
    with pytest.raises(Interrupted):
        advkd.train(run, data=(train, one), out=tmp_path / "run", reporters=[stop])
    with pytest.raises(advkd.AdvkdError, match="begun with other test images"):
        advkd.resume(tmp_path / "run", data=(train, two))
    assert advkd.resume(tmp_path / "run", data=(train, one)).n == 50
    assert json.loads((tmp_path / "run" / "result.json").read_text())["given"] == ["data"]


def test_a_run_is_not_judged_on_images_it_may_have_learned_from(words, tmp_path):
    run = advkd.resolve("preset=kd", *words)
    advkd.train(run, out=tmp_path / "a")
    judged = CliRunner().invoke(main, ["eval", str(tmp_path / "a"), "suite=quick", "curves.images=0"])
    assert judged.exit_code in (0, 3), judged.output
    add(tmp_path / "images", "a", 10)
    refused = CliRunner().invoke(main, ["eval", str(tmp_path / "a"), "suite=quick", "curves.images=0"])
    assert refused.exit_code == 2
    assert "was trained with other training and validation images than there are now" in refused.output
    with pytest.raises(advkd.AdvkdError, match=r"teacher: was trained with other training"):
        advkd.train(
            advkd.resolve("preset=kd", *words[:3], *words[7:], f"teacher={tmp_path / 'a'}"),
            out=tmp_path / "b",
        )
