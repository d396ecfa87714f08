"""Teachers of the RobustBench leaderboards, with a package of the same shape in its place: no network."""

from __future__ import annotations

import enum
import hashlib
import shutil
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from advkd_plugins.robustbench.model import RobustBench
from click.testing import CliRunner
from torch import nn

import advkd
from advkd import AdvkdError
from advkd.cli import main
from advkd.config.build import member

CIFAR = (3, 32, 32)
PAGE = b"<!DOCTYPE html><html><title>Google Drive - Virus scan warning</title></html>"


class Dataset(enum.Enum):
    CIFAR_10 = "cifar10"
    CIFAR_100 = "cifar100"


class Threat(enum.Enum):
    LINF = "Linf"
    L2 = "L2"


ZOO = {
    Dataset.CIFAR_10: {
        Threat.LINF: {"Carmon2019Unlabeled": 1, "Wong2020Fast": 1, "Three2020Ensemble": 3, "Timm2022Own": 0},
        Threat.L2: {"Rony2019Decoupling": 1, "Carmon2019Unlabeled": 1},
    },
    Dataset.CIFAR_100: {Threat.LINF: {"Hendrycks2019Using": 1}, Threat.L2: {}},
}


def made() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))


class Package:
    """Fetches from `drive` (None is no connection) and loads as the package does."""

    def __init__(self, drive: Path) -> None:
        self.drive: Path | None = drive
        self.fetched: list[str] = []
        torch.save({"state_dict": made().state_dict()}, drive)

    def load_model(self, name, model_dir, dataset, threat_model):
        assert Path(model_dir).name == "models"
        base = Path(model_dir) / dataset / threat_model
        base.mkdir(parents=True, exist_ok=True)
        count = ZOO[Dataset(dataset)][Threat(threat_model)][name]
        names = [f"{name}.pt"] if count == 1 else [f"{name}.pt_m{i}.pt" for i in range(count)]
        net = made().train()
        for file in names:
            if not (base / file).is_file():
                if self.drive is None:
                    raise ConnectionError("Name or service not known")
                shutil.copy(self.drive, base / file)
                self.fetched.append(file)
            net.load_state_dict(torch.load(base / file, weights_only=True)["state_dict"])
        return net


@pytest.fixture
def package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stand_in = Package(tmp_path / "drive.pt")
    for name in ("robustbench", "robustbench.model_zoo", "robustbench.utils", "robustbench.model_zoo.models"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    sys.modules["robustbench.utils"].load_model = stand_in.load_model
    sys.modules["robustbench.model_zoo.models"].model_dicts = ZOO
    return stand_in


def loaded(name: str = "Carmon2019Unlabeled", classes: int = 10, shape=CIFAR, **options) -> nn.Module:
    return RobustBench(name=name, **options)(classes, shape)


def message(*args, **options) -> str:
    with pytest.raises(AdvkdError) as caught:
        loaded(*args, **options)
    return str(caught.value)


FILE = Path("models/cifar10/Linf/Carmon2019Unlabeled.pt")
RECORD = FILE.with_name("Carmon2019Unlabeled.pt.sha256")


def test_the_name_after_the_colon_is_the_entry_and_it_is_fetched_once(package):
    source = member("models", "robustbench:Carmon2019Unlabeled", "teacher")[0]
    for _ in range(2):
        net = source(10, CIFAR)
        assert not net.training
        x = torch.rand(2, *CIFAR)
        assert torch.equal(net(x), made()(x))
    assert package.fetched == ["Carmon2019Unlabeled.pt"]
    digest = hashlib.sha256(FILE.read_bytes()).hexdigest()
    assert RECORD.read_text() == f"{digest}  Carmon2019Unlabeled.pt\n"
    package.drive = None
    assert loaded(sha256=digest.upper()) is not None


def test_it_is_a_teacher_and_a_target_by_name(package):
    run = advkd.resolve("preset=rslad", "setting=cifar10", "teacher=robustbench:Carmon2019Unlabeled")
    assert run.teacher == RobustBench(name="Carmon2019Unlabeled")
    x = np.random.default_rng(0).random((20, *CIFAR)).astype("float32")
    np.savez("data.npz", x_train=x, y_train=np.arange(20) % 10, x_test=x, y_test=np.arange(20) % 10)
    words = ("data=arrays", "data.path=data.npz", "threat.eps=0.1", "suite=quick", "curves.images=0")
    done = CliRunner().invoke(main, ["eval", "robustbench:Carmon2019Unlabeled", *words])
    assert done.exit_code == 0, done.output
    assert "worst case" in done.output
    done = CliRunner().invoke(main, ["eval", "robustbench:Carmon2019", *words])
    assert done.exit_code == 2
    assert "nearest  Carmon2019Unlabeled" in done.output


def test_a_file_that_has_changed_is_not_loaded(package):
    loaded()
    other = {"state_dict": {k: v + 1 for k, v in made().state_dict().items()}}
    torch.save(other, FILE)
    before = RECORD.read_text()
    assert "robustbench.sha256: the file is not the one first loaded" in message()
    assert RECORD.read_text() == before
    RECORD.unlink()
    assert torch.equal(loaded()[1].bias, made()[1].bias + 1)


def test_an_expected_checksum_is_held_against_new_and_known_files(package):
    wrong = "0" * 64
    assert "the file has another" in message(sha256=wrong)
    assert FILE.is_file()
    assert not RECORD.exists()
    loaded()
    assert "the file has another" in message(sha256=wrong)
    assert "this model has 3" in message("Three2020Ensemble", sha256=wrong)
    assert "this model has 0" in message("Timm2022Own", sha256=wrong)


def test_members_of_an_ensemble_are_recorded_each(package):
    loaded("Three2020Ensemble")
    records = sorted(path.name for path in FILE.parent.glob("*.sha256"))
    assert records == [f"Three2020Ensemble.pt_m{i}.pt.sha256" for i in range(3)]
    (FILE.parent / "Three2020Ensemble.pt_m1.pt").write_bytes(package.drive.read_bytes() + b"\0")
    assert "not the one first loaded" in message("Three2020Ensemble")


def test_a_web_page_in_place_of_the_checkpoint(package):
    package.drive.write_bytes(PAGE)
    first = message()
    assert "robustbench.name: the download returned a web page, not a checkpoint" in first
    assert str(FILE) in first
    assert not RECORD.exists()
    assert message() == first
    assert package.fetched == ["Carmon2019Unlabeled.pt"]


def test_a_file_cut_short_can_be_replaced(package):
    whole = package.drive.read_bytes()
    package.drive.write_bytes(whole[: len(whole) // 2])
    assert "the file is cut short or is no checkpoint" in message()
    assert not RECORD.exists()
    FILE.write_bytes(whole)
    assert not loaded().training


def test_weights_of_another_model(package):
    torch.save({"state_dict": nn.Linear(3, 2).state_dict()}, package.drive)
    said = message()
    assert "cannot be loaded: RuntimeError" in said
    assert "update robustbench" in said


def test_without_a_connection(package):
    package.drive = None
    said = message()
    assert "robustbench.name: cannot be fetched: ConnectionError: Name or service not known" in said
    assert f"by hand from the leaderboard's link to {FILE}" in said


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "robustbench", None)
    assert "pip install 'advkd[robustbench]'" in message()


@pytest.mark.parametrize(
    ("name", "classes", "options", "says"),
    [
        ("Carmon2019Unlabelled", 10, {}, "unknown cifar10 Linf model\n  given    Carmon2019Unlabelled"),
        ("Carmon2019Unlabelled", 10, {}, "nearest  Carmon2019Unlabeled"),
        ("Rony2019Decoupling", 10, {}, "it is on that of dataset=cifar10 threat_model=L2"),
        (
            "Carmon2019Unlabeled",
            100,
            {},
            "dataset=cifar10 threat_model=Linf and dataset=cifar10 threat_model=L2",
        ),
        ("Carmon2019Unlabeled", 7, {}, "has no data set of 7 classes"),
        (
            "Carmon2019Unlabeled",
            100,
            {"dataset": "cifar10"},
            "no data set of 100 classes and dataset=cifar10",
        ),
        ("Carmon2019Unlabeled", 10, {"shape": (1, 8, 8)}, "take images of 3x32x32\n  given    1x8x8"),
        ("Carmon2019Unlabeled", 1000, {"shape": (1, 64, 64)}, "imagenet networks take images of 3 channels"),
    ],
)
def test_what_does_not_match(name, classes, options, says, package):
    assert says in message(name, classes, **options)
    assert package.fetched == []
