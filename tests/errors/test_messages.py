"""Bad input, and the whole message it gets; messages.md is what a user reads.

UPDATE_SNAPSHOTS=1 writes the file anew; read the difference before committing it.
"""

from __future__ import annotations

import errno
import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from parts import TINY
from PIL import Image
from torch.utils.data import TensorDataset

import advkd
from advkd import AdvkdError
from advkd.api import resume
from advkd.networks import weights

SNAPSHOT = Path(__file__).with_name("messages.md")
PLAIN = [word for word in TINY if not word.startswith("teacher")]


def run(*words: str, out: str = "run", **more) -> None:
    advkd.train(advkd.resolve(*TINY, "epochs=1", *words), out=out, **more)


def with_teacher(path: str) -> None:
    advkd.train(advkd.resolve(*PLAIN, "preset=rslad", f"teacher={path}"), out="run")


def images(x: torch.Tensor | None = None, y: torch.Tensor | None = None) -> tuple:
    x = torch.rand(40, 1, 8, 8, generator=torch.Generator().manual_seed(0)) if x is None else x
    y = torch.arange(40) % 10 if y is None else y
    return TensorDataset(x, y), TensorDataset(x, y)


def given(x: torch.Tensor | None = None, y: torch.Tensor | None = None) -> None:
    advkd.train(advkd.resolve("preset=standard", "epochs=1"), data=images(x, y), out="run")


def arrays(y: list[int]) -> None:
    x = np.random.default_rng(0).random((len(y), 8, 8)).astype("float32")
    np.savez("data.npz", x_train=x, y_train=y, x_test=x, y_test=[10] * len(y))
    run("preset=standard", "data=arrays", "data.path=data.npz", "split.train=null", "split.test=null")


def folder(make: Callable[[Path], None]) -> None:
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            for i in range(4):
                path = Path("images", part, name, f"{i}.png")
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(np.full((8, 8), 20 * i, "uint8")).save(path)
    make(Path("images"))
    run("preset=standard", "setting=folder", "data.path=images")


def remove(path: Path) -> None:
    for file in path.iterdir():
        file.unlink()


class Code:
    def __reduce__(self):
        return os.mkdir, ("was-run",)


def written(path: str, data: bytes) -> str:
    Path(path).write_bytes(data)
    return f"./{path}"


def student_file(cut: int | None = None, classes: int = 10) -> str:
    run("preset=standard", out="t")
    data = Path("t/student.safetensors").read_bytes()
    if classes != 10:
        state, about = weights.read(Path("t/student.safetensors"), "t")
        weights.write(Path("t/student.safetensors"), state, {**about, "classes": classes})
        data = Path("t/student.safetensors").read_bytes()
    return written("teacher.safetensors", data[:cut])


def untrained() -> None:
    torch.manual_seed(0)
    run("preset=rslad", teacher=advkd.resolve("preset=rslad").student(10, (1, 8, 8)))


def full_disk() -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def fill(record) -> None:
        if record.name == "train.loss" and record.epoch == 1:
            patch.setattr(os, "fsync", full)

    with pytest.MonkeyPatch.context() as patch:
        run("preset=standard", "epochs=3", reporters=[fill])


def resumed(change: Callable[[Path], None]) -> None:
    run("preset=standard")
    change(Path("run"))
    resume("run")


def edited(path: Path) -> None:
    (path / "result.json").unlink()
    text = (path / "run.yaml").read_text()
    (path / "run.yaml").write_text(text.replace("epochs: 1", "epochs: 2"))


CASES: dict[str, Callable[[], None]] = {
    "no preset": lambda: advkd.resolve(),
    "unknown preset": lambda: advkd.resolve("preset=rsald"),
    "unknown setting": lambda: advkd.resolve("preset=rslad", "setting=cifar-10"),
    "unknown member": lambda: run("preset=rslad", "method.branches.untargeted.attack=pdg"),
    "unknown option": lambda: run("preset=rslad", "student.widht=8"),
    "unknown key": lambda: run("preset=rslad", "epoch=3"),
    "a group replaced by a value": lambda: run("preset=rslad", "evaluation=none"),
    "unknown branch": lambda: run("preset=rslad", "method.branches.untargted.scale=2"),
    "averages of two": lambda: run("preset=rslad", "+modifiers.ema={}", "+modifiers.swa={}"),
    "not a word": lambda: run("preset=rslad", "epochs"),
    "wrong type": lambda: run("preset=rslad", "epochs=many"),
    "eps meant in 255ths": lambda: run("preset=rslad", "threat.eps=8"),
    "step above two eps": lambda: run("preset=rslad", "method.branches.untargeted.attack.step_size=0.9"),
    "missing checkpoint": lambda: with_teacher("./nowhere.safetensors"),
    "truncated checkpoint": lambda: with_teacher(student_file(cut=3000)),
    "web page as checkpoint": lambda: with_teacher(written("page.pt", b"<!DOCTYPE html><html></html>")),
    "pickle with code": lambda: with_teacher(written("code.pt", pickle.dumps({"a": Code()}))),
    "teacher of other classes": lambda: with_teacher(student_file(classes=7)),
    "teacher near chance": untrained,
    "pixels up to 255": lambda: given(x=torch.full((40, 1, 8, 8), 255.0)),
    "normalised pixels": lambda: given(x=torch.full((40, 1, 8, 8), -1.5)),
    "a pixel that is no number": lambda: given(x=torch.full((40, 1, 8, 8), float("nan"))),
    "label out of range": lambda: given(y=torch.full((40,), -1)),
    "test label out of range": lambda: arrays([0, 1, 2, 1] * 10),
    "one class only": lambda: given(y=torch.zeros(40, dtype=torch.long)),
    "no folder": lambda: run("preset=standard", "setting=folder", "data.path=nowhere"),
    "empty folder": lambda: (
        Path("images").mkdir(),
        run("preset=standard", "setting=folder", "data.path=images"),
    ),
    "class folder without images": lambda: folder(lambda path: remove(path / "train" / "dog")),
    "corrupt image": lambda: folder(lambda path: (path / "train/dog/1.png").write_bytes(b"\xff\xd8 no")),
    "images of two sizes": lambda: folder(
        lambda path: Image.new("L", (9, 8)).save(path / "train" / "dog" / "2.png")
    ),
    "no room on disk": full_disk,
    "folder in use": lambda: (run("preset=standard"), run("preset=standard")),
    "resume of no run": lambda: resume("nowhere"),
    "resume of an ended run": lambda: resumed(lambda path: None),
    "resume of a changed run": lambda: resumed(edited),
    "unknown device": lambda: run("preset=standard", "device=gpu"),
}


def message(case: str, folder: Path) -> str:
    with pytest.raises(AdvkdError) as caught:
        CASES[case]()
    text = str(caught.value).replace(str(folder), "TMP")
    return re.sub(r"\b[0-9a-f]{8}\b", "HASH", text)


def snapshots() -> dict[str, str]:
    if not SNAPSHOT.exists():
        return {}
    pattern = r"^## ([^\n]+)\n\n```\n(.*?)\n```$"
    return dict(re.findall(pattern, SNAPSHOT.read_text(), re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("case", CASES)
def test_message(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = message(case, tmp_path)
    if os.environ.get("UPDATE_SNAPSHOTS"):
        known = {**snapshots(), case: text}
        parts = [f"## {name}\n\n```\n{known[name]}\n```\n" for name in CASES if name in known]
        SNAPSHOT.write_text("# What bad input is answered with\n\n" + "\n".join(parts))
    assert text == snapshots()[case]
    assert not Path("was-run").exists()


def test_a_full_disk_loses_nothing_earlier(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AdvkdError, match="No space left"):
        full_disk()
    about = weights.read(tmp_path / "run" / "checkpoint.safetensors", "test")[1]
    assert about["run"]["epoch"] == 1
    assert not list((tmp_path / "run").glob("*.tmp"))
    again = resume("run")
    assert again.clean > 0


def test_every_snapshot_is_of_a_case():
    assert list(snapshots()) == list(CASES)
