"""Which images teacher and student learn from, and what every step is told."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import advkd
from advkd.config.run import Split
from advkd.data.digits import Digits
from advkd.data.images import Images
from advkd.errors import AdvkdError
from advkd.fingerprints import data_fingerprint
from advkd.optim import Schedule
from advkd.splits import Splits, split
from advkd.training.gate import admitted
from advkd.training.loop import Training
from advkd.training.tracing import PATHS


def pixels(images):
    return {x.numpy().tobytes() for x in images}


def test_teacher_and_student_learn_from_the_same_images_and_none_that_choose(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("ADVKD_CACHE", str(tmp_path / "cache"))
    seen, made = {}, Training.__init__

    def init(self, run, setup):
        seen[setup.stage] = setup
        made(self, run, setup)

    monkeypatch.setattr(Training, "__init__", init)
    run = advkd.resolve(*tiny, "preset=rslad", "epochs=1")
    advkd.train(run, out=tmp_path / "run")
    parts = split(run.data, run.split)
    wanted = [data_fingerprint(part.x, part.y) for part in (parts.train, parts.validation)]
    assert set(seen) == {"teacher", "student"}
    for setup in seen.values():
        assert [data_fingerprint(part.x, part.y) for part in (setup.train, setup.validation)] == wanted
    assert not pixels(parts.train.x) & pixels(parts.validation.x)
    assert not pixels(parts.train.x) & pixels(parts.test().x)


def test_paths_are_traced_on_validation_images(tiny, tmp_path):
    run = advkd.resolve(*tiny, "preset=pgd-at", "epochs=1")
    advkd.train(run, out=tmp_path / "run")
    validation = split(run.data, run.split).validation
    known = {(x * 255).round().byte().numpy().tobytes() for x in validation.x}
    with np.load(tmp_path / "run" / PATHS) as file:
        starts = [file[name][0] for name in file.files if name.endswith(".x")]
    assert starts
    assert all(image.tobytes() in known for images in starts for image in images)


def test_rate_and_progress_move_with_every_step_and_epochs_end_without_augmentation(
    tiny, tmp_path, monkeypatch
):
    told, ends, rates, right = [], [], [], torch.optim.SGD.step

    def step(self, *args, **options):
        rates.append(self.param_groups[0]["lr"])
        return right(self, *args, **options)

    monkeypatch.setattr(torch.optim.SGD, "step", step)

    @advkd.register("modifiers", "noting")
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Noting:
        """Notes the progress, and the images at the end of an epoch."""

        def after_step(self, student, step):
            told.append(step.progress)

        def epoch_end(self, student, images, progress):
            ends.append(torch.cat(list(images())))

    words = ("preset=standard", "epochs=2", "augment={crop: 2, flip: true}", "+modifiers.noting={}")
    run = advkd.resolve(*tiny, *words)
    advkd.train(run, out=tmp_path / "run")
    assert told == [i / 16 for i in range(16)]
    schedule = Schedule()
    assert rates == pytest.approx([run.optimizer.lr * schedule.share(i / 16, 1 / 16) for i in range(16)])
    known = pixels(split(run.data, run.split).train.x)
    assert all(pixels(images) <= known for images in ends)
    assert len(ends) == 2


def test_the_gate_of_a_teacher_looks_at_validation_images():
    class Knowing(nn.Module):
        """Answers with the class that is written into the first pixel."""

        def forward(self, x):
            found = (x[:, 0, 0, 0] * 10).round().long().clamp(0, 9)
            return 5 * nn.functional.one_hot(found, 10) + 0.1 * x.flatten(1)[:, :10]

    y = torch.arange(200) % 10
    x = torch.rand(200, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    x[:, 0, 0, 0] = y / 10
    known, unknown = Images(x, y), Images(x, (y + 1) % 10)
    splits = Splits(unknown, known, Digits(), Split())
    assert admitted(Knowing(), splits, 64)
    with pytest.raises(AdvkdError, match="near chance"):
        admitted(Knowing(), replace(splits, train=known, validation=unknown), 64)


def test_crops_keep_to_a_box_above_zero(tiny, tmp_path):
    x = 0.25 + 0.5 * torch.rand(200, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    data = Images(x, torch.arange(200) % 10)
    run = advkd.resolve(*tiny, "preset=pgd-at", "epochs=1", "threat.box=[0.25,0.75]", "augment.crop=1")
    assert advkd.train(run, data=(data, data), out=tmp_path / "run").n


def test_a_term_that_counts_no_point_is_told(caplog):
    terms = "{ce: {loss: ce, target: label, weight: uniform}}"
    advkd.resolve("preset=pgd-at", f"+method.branches.clean={{path: untargeted, terms: {terms}}}")
    assert "term ce trains nothing, as its branch has no attack" in caplog.text
    caplog.clear()
    advkd.resolve("preset=kd")
    assert not caplog.text
