"""The network that most of these tests ask."""

from __future__ import annotations

import pytest
from parts import small_net
from torch import nn


@pytest.fixture
def net() -> nn.Module:
    return small_net(6, seed=4).float().eval()
