"""BatchNorm of a branch's own: shared weights, separate affine parameters and statistics."""

from __future__ import annotations

import copy

from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm


class OwnNorms(nn.Module):
    """Copies of all BatchNorm layers of a network, to stand in for them in one branch.

    Source: the split BatchNorm of Xie et al., CVPR 2020 (AdvProp, arXiv 1911.09665), here per branch.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self._names = [name for name, module in net.named_modules() if isinstance(module, _BatchNorm)]
        self.norms = nn.ModuleList(copy.deepcopy(net.get_submodule(name)) for name in self._names)

    def tensors(self) -> dict[str, Tensor]:
        """Parameters and buffers under the names they have in the network."""
        found: dict[str, Tensor] = {}
        for name, norm in zip(self._names, self.norms, strict=True):
            for key, tensor in (*norm.named_parameters(), *norm.named_buffers()):
                found[f"{name}.{key}"] = tensor
        return found


class Branched(nn.Module):
    """The student as one branch sees it: its weights, the branch's own BatchNorm."""

    def __init__(self, student: nn.Module, own: OwnNorms) -> None:
        super().__init__()
        self.student = student
        self.own = own

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B,N) of images (B,C,H,W)."""
        logits: Tensor = functional_call(self.student, self.own.tensors(), (x,))
        return logits
