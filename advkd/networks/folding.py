"""Convolution and BatchNorm as one operation, for networks in eval mode whose numbers still change."""

from __future__ import annotations

from collections import Counter

from torch import Tensor, fx, nn


class Folded(nn.Module):
    """`norm(conv(x))` with running statistics, as one convolution of weights scaled at each call."""

    def __init__(self, conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        self.conv, self.norm = conv, norm

    def forward(self, x: Tensor) -> Tensor:
        """Images (B,C,H,W) to features (B,D,H',W')."""
        conv, norm = self.conv, self.norm
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = (norm.running_var + norm.eps).rsqrt()
        scale = scale if norm.weight is None else scale * norm.weight
        shift = -norm.running_mean if conv.bias is None else conv.bias - norm.running_mean
        bias = shift * scale if norm.bias is None else shift * scale + norm.bias
        # torch's own method, which knows every padding mode
        answer: Tensor = conv._conv_forward(x, conv.weight * scale[:, None, None, None], bias)
        return answer


def fold(net: nn.Module) -> None:
    """Replaces, in `net` (eval mode), every plain convolution whose only reader is a BatchNorm.

    Parameters and buffers stay the tensors they are. A network that torch cannot trace is left alone.
    """
    try:
        graph = fx.Tracer().trace(net)
    # a foreign forward fails on symbolic input in ways of its own
    except Exception:
        return
    calls = Counter(str(node.target) for node in graph.nodes if node.op == "call_module")
    # a network that also reads the numbers of a layer needs the layer as it is
    calls.update(str(node.target).rpartition(".")[0] for node in graph.nodes if node.op == "get_attr")
    # a layer with two names would be folded under one and not under the other
    known = Counter(module for _, module in net.named_modules(remove_duplicate=False))
    for node in graph.nodes:
        if node.op != "call_module" or not node.args or not isinstance(node.args[0], fx.Node):
            continue
        before = node.args[0]
        names = str(before.target), str(node.target)
        if before.op == "call_module" and len(before.users) == 1 and all(calls[n] == 1 for n in names):
            conv, norm = (net.get_submodule(name) for name in names)
            once = known[conv] == known[norm] == 1
            if once and _plain(conv, nn.Conv2d) and _plain(norm, nn.BatchNorm2d) and _tracks(norm):
                net.set_submodule(names[0], Folded(conv, norm))  # type: ignore[arg-type]
                net.set_submodule(names[1], nn.Identity())


def _tracks(norm: nn.Module) -> bool:
    return isinstance(norm, nn.BatchNorm2d) and norm.running_mean is not None


def _plain(module: nn.Module, kind: type[nn.Module]) -> bool:
    """Of exactly this kind (a parametrised one is not), and without hooks."""
    return type(module) is kind and not (module._forward_hooks or module._forward_pre_hooks)
