"""The shipped digits network and images for it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from advkd.auditing.selftest import shipped
from advkd.data.digits import Digits
from advkd.data.images import Images
from advkd.types import Threat


@pytest.fixture
def robust() -> nn.Module:
    return shipped("robust").net


@pytest.fixture
def plain() -> nn.Module:
    return shipped("plain").net


@pytest.fixture
def digits() -> Images:
    images = Digits().open("test")
    return images.subset(torch.arange(0, 359, 6))


@pytest.fixture
def threat() -> Threat:
    return Threat(eps=0.2)
