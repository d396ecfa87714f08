"""The card of a student on the Hugging Face hub.

UPDATE_SNAPSHOTS=1 writes it anew; read the difference before committing it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import huggingface_hub
import pytest
import yaml
from advkd_plugins.hub.card import card, told

import advkd

CARD = Path(__file__).with_name("card.md")
NAME = "someone/robust-digits"
RUN = """
hash: 1a2b3c4d
preset: rslad
setting: cifar10
seed: 0
threat: {norm: linf, eps: 0.03137254901960784, box: [0.0, 1.0]}
student: {use: resnet18, width: 64}
evaluation:
  pgd-20: {use: pgd, steps: 20, restarts: 5}
"""
RESULT = {
    "preset": "rslad",
    "setting": "cifar10",
    "hash": "1a2b3c4d",
    "n_test": 1000,
    "clean": 0.84,
    "robust": 0.51,
    "attacks": {"pgd-20": 0.52},
    "last": {"clean": 0.85, "robust": 0.49},
    "teacher": {"clean": 0.86, "robust": 0.55},
}
AUDIT = {
    "suite": "full",
    "threat": "linf eps 8/255",
    "n_test": 500,
    "clean": 0.842,
    "robust": 0.482,
    "complete": False,
    "interval": {"robust": [0.4385, 0.5258]},
    "flags": [{"name": "loss-flat"}],
}


def parts(text: str) -> tuple[dict, str]:
    _, head, body = text.split("---\n", 2)
    return yaml.safe_load(head), body


def test_the_card(tmp_path):
    (tmp_path / "run.yaml").write_text(RUN)
    (tmp_path / "result.json").write_text(json.dumps(RESULT))
    (tmp_path / "eval" / "full-1").mkdir(parents=True)
    (tmp_path / "eval" / "full-1" / "result.json").write_text(json.dumps(AUDIT))
    text = card(told(tmp_path), NAME, "apache-2.0")
    if os.environ.get("UPDATE_SNAPSHOTS"):
        CARD.write_text(text)
    assert parts(text) == parts(CARD.read_text())
    head, body = parts(text)
    assert head["license"] == "apache-2.0"
    found = {m["name"]: m for m in head["model-index"][0]["results"][0]["metrics"]}
    robust = found["accuracy, linf eps 8/255, worst case"]
    assert robust["value"] == 0.51
    assert robust["args"]["n"] == 1000
    # Wilson's interval of 510 in 1000, by hand
    centre, half = (0.51 + 1.9208 / 1000) / 1.0038415, 0.0308639
    assert robust["args"]["interval"] == pytest.approx([centre - half, centre + half], abs=2e-4)
    assert huggingface_hub.ModelCard(text).data.eval_results
    for line in body.splitlines():
        if line.startswith("    advkd run"):
            advkd.resolve(*line.split()[2:])
