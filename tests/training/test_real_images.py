"""Real images from a folder, end to end; skipped where the shared archive is absent."""

from __future__ import annotations

import tarfile
from collections import Counter
from pathlib import Path

import pytest

import advkd

ARCHIVE = Path(__file__).parents[3] / "shared" / "data" / "cifar10-jpeg-imagefolder.tar.xz"
CLASSES, PER_CLASS = ("airplane", "frog"), {"train": 200, "test": 20}


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    if not ARCHIVE.exists():
        pytest.skip("the archive of CIFAR-10 as JPEG files does not lie beside this checkout")
    folder = tmp_path_factory.mktemp("cifar")
    taken: Counter[tuple[str, ...]] = Counter()
    with tarfile.open(ARCHIVE) as archive:
        for member in archive:
            place = Path(member.name).parts[:2]
            if member.isfile() and place[1] in CLASSES and taken[place] < PER_CLASS[place[0]]:
                taken[place] += 1
                target = folder / member.name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.extractfile(member).read())
    assert set(taken.values()) == set(PER_CLASS.values())
    return folder


@pytest.mark.parametrize("preset", ["path-dual", "rslad"])
def test_two_classes_of_cifar10(preset, images, tmp_path):
    words = (
        f"preset={preset}",
        "setting=folder",
        f"data.path={images}",
        "epochs=1",
        "batch_size=64",
        "student={use: resnet8, width: 4}",
        "teacher.preset=standard",
        "teacher.model={use: resnet8, width: 8}",
        "teacher.epochs=6",
        "teacher.batch_size=32",
        "method.branches.untargeted.attack.steps=2",
        "evaluation.pgd-20.steps=2",
        "evaluation.pgd-20.restarts=1",
        "evaluation.cw-linf.steps=2",
    )
    result = advkd.train(advkd.resolve(*words), out=tmp_path / "run")
    assert result.n == 40
    assert result.teacher.clean > 0.6
    assert 0 <= result.robust <= result.clean
