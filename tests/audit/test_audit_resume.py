"""Killed at any point and run again: the bits of an audit that nobody disturbed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from audit_parts import BRIEF, untrained
from killed import audit

import advkd
from advkd.auditing.ledger import Ledger
from advkd.errors import AdvkdError
from advkd.types import Threat


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    audit(folder)
    return folder


def bits(folder: Path) -> dict[str, bytes]:
    with np.load(folder / "examples.npz") as file:
        return {key: file[key].tobytes() for key in file.files if key != "about"}


@pytest.mark.parametrize(
    ("where", "count"),
    [("examples.npz", 4), ("examples.npz", 12), ("autoattack.batch-", 1), ("autoattack.batch-", 6)],
)
def test_killed_and_run_again_is_the_same_to_the_bit(where, count, undisturbed, tmp_path):
    command = [sys.executable, Path(__file__).with_name("killed.py"), tmp_path, where, str(count)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    assert not (tmp_path / "result.json").exists()
    before = bits(tmp_path)
    verdict = audit(tmp_path)
    assert bits(tmp_path) == bits(undisturbed)
    assert before.keys() < bits(undisturbed).keys()
    told = [json.loads((folder / "result.json").read_text()) for folder in (tmp_path, undisturbed)]
    for one in told:
        del one["cost"]
        for detail in one["details"].values():
            del detail["seconds"], detail["forwards"], detail["backwards"]
    assert told[0] == told[1]
    assert verdict.complete


def test_a_finished_attack_is_not_run_again(robust, digits, threat, tmp_path):
    first = advkd.audit(robust, digits, threat, out=tmp_path, **BRIEF)
    again = advkd.audit(robust, digits, threat, out=tmp_path, **BRIEF)
    assert again.cost["seconds"] == first.cost["seconds"]
    assert torch.equal(again.main.survivors, first.main.survivors)


def test_what_is_there_is_not_taken_for_something_else(robust, digits, threat, tmp_path):
    advkd.audit(robust, digits, threat, out=tmp_path, **BRIEF)
    before = (tmp_path / "examples.npz").read_bytes()
    fewer = digits.subset(torch.arange(30))
    cases = {
        "is of another model": (untrained(10), digits, threat),
        "from an audit with other data": (robust, fewer, threat),
        "from an audit with other options": (robust, digits, Threat(eps=0.1)),
    }
    for says, (net, data, other) in cases.items():
        with pytest.raises(AdvkdError, match=f"examples.npz: .*{says}(.|\n)*choose another out"):
            advkd.audit(net, data, other, out=tmp_path, **BRIEF)
    assert (tmp_path / "examples.npz").read_bytes() == before


def test_a_half_written_file_is_said_to_be_one(robust, digits, threat, tmp_path):
    advkd.audit(robust, digits, threat, out=tmp_path, **BRIEF)
    file = tmp_path / "examples.npz"
    whole = file.read_bytes()
    flipped = whole[: len(whole) // 2] + bytes([whole[len(whole) // 2] ^ 255]) + whole[len(whole) // 2 + 1 :]
    for part in (whole[:300], b"", b"no zip at all", flipped):
        file.write_bytes(part)
        with pytest.raises(AdvkdError, match=r"examples.npz: is cut short(.|\n)*remove it to begin again"):
            advkd.audit(robust, digits, threat, out=tmp_path, **BRIEF)
        assert file.read_bytes() == part


def test_an_attack_that_fails_leaves_those_before_it(robust, digits, threat, tmp_path):
    file = tmp_path / "examples.npz"

    class Tired(torch.nn.Module):
        """Fails at the first gradient asked for once the results of FGSM are on disk."""

        def __init__(self, well: bool) -> None:
            super().__init__()
            self.net, self.well = robust, well

        def forward(self, x):
            if not self.well and x.requires_grad and file.exists():
                with np.load(file) as found:
                    if "model.fgsm" in found.files:
                        raise RuntimeError("tired")
            return self.net(x)

    says = r"evaluators.pgd: failed on the examples .*tired(.|\n)*reuses finished attacks"
    with pytest.raises(AdvkdError, match=says):
        advkd.audit(Tired(well=False), digits, threat, out=tmp_path, **BRIEF)
    with np.load(file) as found:
        before = found["model.fgsm"]
        assert found["model.fgsm.tried"].sum() > 40
    verdict = advkd.audit(Tired(well=True), digits, threat, out=tmp_path, **BRIEF)
    assert verdict.complete
    assert (verdict.main.entries["fgsm"].right.numpy() == before).all()


def ledger(folder: Path) -> Ledger:
    about = {"images": "a", "nets": {}, "plan": "p", "batch_size": 2, "engine": {}}
    return Ledger(4, about, folder)


def test_images_are_joined_once_whenever_the_joining_is_killed(tmp_path, monkeypatch):
    begun = ledger(tmp_path)
    entry = begun.entry("model", "pgd")
    entry.tried[:] = entry.done = True
    for part in (0, 1):
        begun.memo("model", "pgd")(f"images-{part:06}", lambda part=part: torch.full((2, 1, 2, 2), part))
    begun.save()
    unlink, removed = Path.unlink, []

    def killed(path: Path, missing_ok: bool = False) -> None:
        if path.suffix == ".safetensors":
            removed.append(path)
            if len(removed) == 2:
                raise KeyboardInterrupt
        unlink(path, missing_ok=missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            begun.join_images()
    ledger(tmp_path).join_images()
    with np.load(tmp_path / "examples.npz") as file:
        assert file["model.pgd.images"][:, 0, 0, 0].tolist() == [0, 0, 1, 1]
    assert not list(tmp_path.glob("partial/*"))


def test_what_is_left_of_an_audit_that_was_removed_is_not_used(tmp_path):
    ledger(tmp_path).memo("model", "pgd")("batch-1", lambda: torch.zeros(1))
    (found,) = tmp_path.glob("partial/*")
    (found.parent / "mine.txt").write_text("not of an audit")
    assert ledger(tmp_path).memo("model", "pgd")("batch-1", lambda: torch.ones(1)).item() == 1
    assert (found.parent / "mine.txt").exists()
