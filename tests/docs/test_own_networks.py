"""The page for beginners: what it says of networks of one's own works as written."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch import nn

from advkd.cli import main

PAGE = (Path(__file__).parents[2] / "docs" / "start.md").read_text(encoding="utf-8")
MY_CODE = """
from torch import nn

class Net(nn.Sequential):
    def __init__(self, classes, width):
        super().__init__(nn.Conv2d(3, width, 3, 2, 1), nn.Flatten(), nn.Linear(16 * width, classes))
"""
BRIEF = {"run": ["epochs=1"], "eval": ["suite=quick", "curves.images=0"]}


def learned(net: nn.Module) -> nn.Module:
    """`net`, which tells red from blue now in images as `nets.py` normalises them."""
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    x, y = images(80)
    for _ in range(20):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net((x - 0.5) / 0.25), y).backward()
        optimizer.step()
    return net


def images(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    x, y = 0.4 * torch.rand(n, 3, 8, 8), torch.arange(n) % 2
    x[range(n), 2 * (1 - y)] += 0.5
    return x, y


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with `nets.py` as the page has it, images of two classes and a teacher of other code."""
    torch.manual_seed(0)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (block,) = [code for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "nets.py" in code]
    Path("nets.py").write_text(block)
    Path("my_code.py").write_text(MY_CODE)
    torch.save(learned(importlib.import_module("my_code").Net(2, 16)).state_dict(), "weights.pt")
    for part, n in (("train", 60), ("test", 20)):
        for i, (x, y) in enumerate(zip(*images(n), strict=True)):
            file = Path("my-images", part, ("blue", "red")[int(y)], f"{i}.png")
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray((255 * x).byte().permute(1, 2, 0).numpy()).save(file)


@pytest.mark.usefixtures("folder", "site")
def test_networks_of_ones_own():
    commands = re.findall(r"^    (advkd .*load=nets\.py.*)", PAGE, re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        _, verb, *words = shlex.split(command)
        done = CliRunner().invoke(main, [verb, *words, *BRIEF[verb]])
        assert done.exit_code == 0, done.output
    assert "no check raised a flag" in done.output
