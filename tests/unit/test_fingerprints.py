"""Names of networks and images: the same for the same numbers, of whatever type."""

from __future__ import annotations

import hashlib

import pytest
import torch
from parts import small_net
from torch import nn

from advkd.fingerprints import data_fingerprint, fingerprint


def test_a_name_is_the_digest_of_all_numbers():
    net = small_net(4, seed=1)
    digest = hashlib.sha256(repr(net).encode())
    for key, value in net.state_dict().items():
        digest.update(key.encode() + value.numpy().tobytes())
    assert fingerprint(net) == digest.hexdigest()[:16]
    # not contiguous, and read with a gradient
    x, y = torch.rand(5, 6, 6, 1).permute(0, 3, 1, 2), torch.arange(5)
    digest = hashlib.sha256(repr(((5, 1, 6, 6), "torch.float32")).encode())
    digest.update(x.contiguous().numpy().tobytes() + y.numpy().tobytes())
    assert data_fingerprint(x.requires_grad_(), y) == digest.hexdigest()[:16]


def test_types_that_numpy_lacks_have_names_too():
    net = nn.Linear(3, 2).bfloat16()
    before = fingerprint(net)
    with torch.no_grad():
        net.weight[0, 0] += 1
    assert fingerprint(net) != before
    x, y = torch.rand(4, 1, 2, 2).bfloat16(), torch.arange(4)
    assert data_fingerprint(x, y) != data_fingerprint(1 - x, y)


def quantised(seed):
    net = small_net(4, seed=seed).float().eval()
    return torch.ao.quantization.quantize_dynamic(net, {nn.Linear}, dtype=torch.qint8)


@pytest.mark.filterwarnings("ignore")
def test_quantised_and_sparse_networks_have_names_too():
    assert fingerprint(quantised(1)) == fingerprint(quantised(1)) != fingerprint(quantised(2))
    nets = [nn.Linear(3, 2), nn.Linear(3, 2)]
    for net in nets:
        net.weight = nn.Parameter(net.weight.detach().to_sparse())
    assert fingerprint(nets[0]) != fingerprint(nets[1])
