"""What `evaluate` and `audit` are given in Python, and what they say of what does not fit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import TensorDataset

import advkd
from advkd.evaluators.autoattack import AutoAttack, AutoAttackFast
from advkd.evaluators.gradient import PGDEvaluator
from advkd.types import Threat

THREAT = Threat(eps=0.05)
Y = torch.zeros(4, dtype=torch.long)


def pictures(label: int) -> list[tuple[Image.Image, int]]:
    grey = Image.fromarray(np.full((6, 6), 128, dtype=np.uint8))
    return [(grey, 0), (grey, label)]


DATA = {
    "three channels": (TensorDataset(torch.rand(4, 3, 6, 6), Y), r"model: fails on an image \(3, 6, 6\)"),
    "nothing": ([], "holds no images"),
    "arrays": ([(np.zeros((1, 6, 6)), 0)], "neither a tensor nor a PIL image\n  given    ndarray at index 0"),
    "a label too many": (TensorDataset(torch.rand(4, 1, 6, 6), Y + 5), "labels must lie between 0 and 4"),
    "a label too many, PIL": (pictures(5), "labels must lie between 0 and 4"),
}


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("door", ["evaluate", "audit"])
def test_data_that_does_not_fit_is_named(door, name, net):
    data, says = DATA[name]
    with pytest.raises(advkd.AdvkdError, match=says):
        advkd.evaluate(net, data, THREAT, {}) if door == "evaluate" else advkd.audit(net, data, THREAT)


def test_pictures_are_data(net):
    assert advkd.evaluate(net, pictures(4), THREAT, {}).n == 2


def test_no_attack_may_be_called_clean(net):
    data = TensorDataset(torch.rand(4, 1, 6, 6), Y)
    with pytest.raises(advkd.AdvkdError, match=r"evaluators\.clean: this name is reserved"):
        advkd.evaluate(net, data, THREAT, {"clean": PGDEvaluator()})


def test_no_attack_may_take_the_place_of_what_is_stored_of_another(net):
    data = TensorDataset(torch.rand(4, 1, 6, 6), Y)
    pair = {"pgd": "pgd", "pgd.tried": {"use": "pgd"}}
    with pytest.raises(advkd.AdvkdError, match=r"no attack may have a dot in its name(?s:.*)pgd-tried"):
        advkd.audit(net, data, THREAT, evaluators=pair)


def test_the_official_name_is_kept_for_the_official_suite(net):
    """With five classes the official code does not run as its authors mean it."""
    data = TensorDataset(torch.rand(4, 1, 6, 6), Y)
    found = advkd.evaluate(net, data, THREAT, {"autoattack": AutoAttack(), "pgd": PGDEvaluator()})
    assert list(found.attacks) == ["autoattack-adapted", "pgd"]
    assert found.seconds["autoattack-adapted"] > 0


def test_the_name_of_the_official_suite_is_not_lent(net):
    data = TensorDataset(torch.rand(4, 1, 6, 6), Y)
    for key in ("autoattack", "autoattack-fast", "autoattack-2"):
        weak = {key: PGDEvaluator(steps=1)}
        for judge in (lambda weak=weak: advkd.evaluate(net, data, THREAT, weak), lambda key=key: named(key)):
            with pytest.raises(advkd.AdvkdError, match=f"{key} is kept for the official suite"):
                judge()
        with pytest.raises(advkd.AdvkdError, match=f"{key} is kept for the official suite"):
            advkd.audit(net, data, THREAT, evaluators={key: {"use": "pgd", "steps": 1}})
    with pytest.raises(advkd.AdvkdError, match="autoattack is kept for the official suite"):
        advkd.evaluate(net, data, THREAT, {"autoattack": AutoAttackFast()})


def named(key):
    return advkd.resolve("preset=pgd-at", f"+evaluation.{key}={{use: pgd, steps: 1}}")
