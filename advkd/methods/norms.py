"""BatchNorm of a branch's own: shared weights, separate affine parameters and statistics."""

from __future__ import annotations

import copy

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from advkd.networks.engine import Fast


class OwnNorms(nn.Module):
    """Copies of all BatchNorm layers of a network, to stand in for them in one branch.

    Source: the split BatchNorm of Xie et al., CVPR 2020 (AdvProp, arXiv 1911.09665), here per branch.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        copied = {id(t) for norm in _norms(net) for t in (*norm.parameters(), *norm.buffers())}
        shared = {id(t): t for t in (*net.parameters(), *net.buffers()) if id(t) not in copied}
        # not registered as a child: its other parameters are the student's
        self.__dict__["sibling"] = copy.deepcopy(net, shared)
        self.norms = nn.ModuleList(_norms(self.__dict__["sibling"]))

    def seen(self, student: nn.Module) -> nn.Module:
        """The student as the branch sees it, behind the student's engine and in its mode."""
        net: nn.Module = self.__dict__["sibling"]
        if isinstance(student, Fast):
            if self.__dict__.get("behind") is not student:
                self.__dict__.update(behind=student, fast=student.like(net))
            net = self.__dict__["fast"]
        return net.train(student.training)


def _norms(net: nn.Module) -> list[_BatchNorm]:
    return [module for module in net.modules() if isinstance(module, _BatchNorm)]
