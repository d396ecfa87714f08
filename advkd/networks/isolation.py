"""Running code of others on a network without anything of it staying behind."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from torch import nn

from advkd.networks.modes import buffers_kept, evaluating
from advkd.streams import forked


@contextmanager
def isolated(net: nn.Module, seed: int) -> Iterator[None]:
    """`net` frozen and in eval mode, every global generator seeded; all of it put back after the block.

    Put back are module modes, buffers, which parameters take gradients, the gradients themselves, the
    generators of torch, numpy and `random`, and the process's trace function.
    """
    trace = sys.gettrace()
    states = np.random.get_state(), random.getstate()  # noqa: NPY002
    wanted = [(p, p.requires_grad, p.grad) for p in net.parameters()]
    try:
        with evaluating(net), buffers_kept(net), forked(seed):
            net.requires_grad_(False)
            for parameter, _, _ in wanted:
                # out of reach of code that zeroes gradients in place
                parameter.grad = None
            np.random.seed(seed % 2**32)  # noqa: NPY002
            random.seed(seed)
            yield
    finally:
        for parameter, flag, gradient in wanted:
            parameter.requires_grad_(flag)
            parameter.grad = gradient
        np.random.set_state(states[0])  # noqa: NPY002
        random.setstate(states[1])
        sys.settrace(trace)
