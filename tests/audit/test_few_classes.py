"""Folders of images with two and three classes go through everything, the official code included."""

from __future__ import annotations

import json

import pytest
import torch
from audit_parts import Linear
from click.testing import CliRunner
from PIL import Image

from advkd.cli import main
from advkd.evaluators.official import APGDT
from advkd.types import Batch, Threat

NET = """
import torch
from torch import nn

def net():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(),
        nn.Conv2d(4, 6, 3, 2, 1), nn.ReLU(),
        nn.Flatten(), nn.Linear(54, {classes}),
    )
    with torch.no_grad():
        net[-1].weight *= 10
        net[-1].bias -= net(torch.rand(50, 3, 12, 12)).mean(0)
    return net
"""


@pytest.mark.slow
@pytest.mark.parametrize("classes", [2, 3])
def test_the_full_suite(classes, tmp_path):
    generator = torch.Generator().manual_seed(0)
    for part in ("train", "test"):
        for label in range(classes):
            folder = tmp_path / "images" / part / f"class-{label}"
            folder.mkdir(parents=True)
            for index in range(4):
                pixels = torch.randint(0, 256, (12, 12, 3), generator=generator, dtype=torch.uint8)
                Image.fromarray(pixels.numpy()).save(folder / f"{index}.png")
    (tmp_path / "nets.py").write_text(NET.replace("{classes}", str(classes)))
    words = ["setting=folder", f"data.path={tmp_path / 'images'}", "suite=full", f"out={tmp_path / 'out'}"]
    words += ["curves.images=6", "threat.eps=2/255"]
    done = CliRunner().invoke(main, ["eval", f"{tmp_path / 'nets.py'}:net", *words])
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "out" / "result.json").read_text())
    assert {"apgd-t", "square", "autoattack-adapted"} <= found["details"].keys()
    assert "autoattack" not in found["details"]
    assert len(found["classes"]["robust"]) == classes
    assert found["n_test"] == 4 * classes


@pytest.mark.parametrize(("norm", "eps"), [("linf", 0.02), ("l2", 0.06)])
def test_the_targeted_attack_reaches_each_of_two_wrong_classes(norm, eps):
    """On logits linear in the pixels, far from the edge of the box, what can be broken is known."""
    net = Linear(3)
    x = 0.5 + 0.1 * torch.randn(100, 1, 4, 4, generator=torch.Generator().manual_seed(2)).clamp(-2, 2)
    logits = net(x).detach()
    y = logits.argmax(1)
    apart = (net.weight[y][:, None] - net.weight[None]).detach()
    reach = eps * (apart.abs().sum(2) if norm == "linf" else apart.norm(dim=2))
    lead = (logits.gather(1, y[:, None]) - logits - reach).scatter(1, y[:, None], torch.inf)
    falls, clear = lead.amin(1) < 0, lead.abs().amin(1) > 1e-2
    assert 0.2 < falls.double().mean() < 0.8
    attack = APGDT(steps=20)
    found = attack(net, Batch(x, y), Threat(norm=norm, eps=eps), torch.Generator().manual_seed(0)).x
    assert torch.equal((net(found).argmax(1) != y)[clear], falls[clear])
