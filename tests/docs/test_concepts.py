"""The step that docs/concepts.md follows by hand is the step that is made."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "concepts.md").read_text(encoding="utf-8")
ROWS = [
    [float(cell) if cell.strip() else 0.0 for cell in line.strip("|").split("|")]
    for line in re.findall(r"^\| 0\.\d\d .*\|$", PAGE, re.MULTILINE)
]


def test_the_code_prints_what_is_shown(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (shown,) = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    exec(code, {"__name__": "concepts"})
    assert capsys.readouterr().out == shown


def test_the_table_is_the_formula():
    target = 1 / (1 + math.exp(-10 * 0.12))
    p = [1 / (1 + math.exp(-20 * (row[0] - 0.5))) for row in ROWS]
    near = [math.exp(-abs(2 * q - 1) / 0.25) for q in p[1:]]
    weights = [0.0, *(w / sum(near) for w in near)]
    counts = [1 / 6, *(5 / 12 * w for w in weights[1:])]
    counts[-1] += 5 / 6
    kl = [target * math.log(target / q) + (1 - target) * math.log((1 - target) / (1 - q)) for q in p]
    slopes = [(q - target) * (row[0] - 0.5) for q, row in zip(p, ROWS, strict=True)]
    for i, (_, *row) in enumerate(ROWS):
        assert row == pytest.approx([p[i], 2 * p[i] - 1, weights[i], counts[i], kl[i], slopes[i]], abs=6e-4)
    hard, pull = -math.log(p[-1]), (p[-1] - 1) * (ROWS[-1][0] - 0.5)
    assert f"= {hard:.3f}." in PAGE
    loss = sum(c * k for c, k in zip(counts, kl, strict=True)) + 5 / 6 * hard
    gradient = sum(c * s for c, s in zip(counts, slopes, strict=True)) + 5 / 6 * pull
    assert f"loss of {loss:.4f}, a gradient of {gradient:.4f}" in PAGE


def test_every_point_has_its_row():
    assert len(ROWS) == 5
