"""Running networks fast: frozen twins for attacks, bf16 where it is fast, compiled where it pays."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from types import FunctionType
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from advkd.errors import error
from advkd.networks.compiling import cannot_compile, first_order
from advkd.networks.folding import fold
from advkd.networks.modes import device_of, evaluating, full_float32
from advkd.types import Shape

Compile = Literal["auto", "always", "never"]
Precision = Literal["auto", "float32", "bf16"]

SMALL = 2e6
"""FLOP of one forward pass of one image, below which calls cost more than arithmetic: stays float32."""

REPAYS = 3e14
"""FLOP of a training or an audit above which compiling repays its warm-up of about a minute."""

log = logging.getLogger("advkd")


@dataclass(frozen=True)
class Engine:
    """How networks are run; the same for every network of a training."""

    bf16: bool = False
    compiled: bool = False

    def __call__(self, net: nn.Module) -> Fast:
        """`net` behind this engine; its parameters and buffers stay where they are."""
        return Fast(net, self)

    @contextmanager
    def precise(self) -> Iterator[None]:
        """What training runs inside: no TF32 in place of float32; compiled, an error for second gradients."""
        with ExitStack() as stack:
            if not self.bf16:
                stack.enter_context(full_float32())
            if self.compiled:
                stack.enter_context(first_order())
            yield

    @property
    def about(self) -> dict[str, bool]:
        """As checkpoints and `result.json` hold it."""
        return asdict(self)


class Fast(nn.Module):
    """A network as a training step sees it: images (B,C,H,W) to float32 logits (B,N).

    In train mode `net` itself runs. In eval mode a frozen twin does: the same parameter and buffer
    storage, no gradients for parameters, so that an attack pays for the image's gradient alone.
    """

    def __init__(self, net: nn.Module, engine: Engine) -> None:
        super().__init__()
        self.engine = engine
        self.net = _laid_out(net)
        self.train(net.training)
        # not a child: state, parameters and modes are those of `net`
        self.__dict__.update(twin=twin_of(self.net), likes=[], exact=False)
        if engine.bf16 or engine.compiled:
            fold(self.__dict__["twin"])
        self._eval = _ran(self.__dict__["twin"], engine)
        self._train = _ran(self.net, engine)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B,N)."""
        x = x.contiguous(memory_format=_layout(x.device))
        if self.exact:
            exact: Tensor = (self.net if self.training else self.__dict__["twin"])(x)
            return exact
        return (self._train if self.training else self._eval)(x).float()

    def like(self, net: nn.Module) -> Fast:
        """`net` behind the same engine; forward hooks are shared, so that `Cost` counts both."""
        other = Fast(net, self.engine)
        other._forward_hooks = self._forward_hooks
        self.__dict__["likes"].append(other)
        return other

    def check(self, who: str) -> None:
        """Raises `AdvkdError` if its twin, or that of a network behind `like`, has parted from it."""
        for other in self.__dict__["likes"]:
            other.check(who)
        mine, twins = _storage(self.net), _storage(self.__dict__["twin"])
        if mine != twins:
            problem = "replaces parameters or buffers, and attacks would go on with the old ones"
            remedy = "write to them in place: self.mean.copy_(...), not self.mean = ..."
            raise error(who, problem, given=f"in {len(mine ^ twins)} places of memory", remedy=remedy)


def check_twins(nets: Mapping[str, Fast]) -> None:
    """Raises `AdvkdError` if a twin has parted from its network."""
    for name, net in nets.items():
        net.check(name)


def _laid_out(net: nn.Module) -> nn.Module:
    layout, tensors = _layout(device_of(net)), (*net.parameters(), *net.buffers())
    # torch copies filters of one number at every call, which would part twins from what they share
    if all(one.dim() != 4 or one.is_contiguous(memory_format=layout) for one in tensors):
        return net
    return net.to(memory_format=layout)


def _layout(device: torch.device) -> torch.memory_format:
    # on MPS many versions of torch have wrong BatchNorm gradients in the other layout (pytorch #175189)
    return torch.contiguous_format if device.type == "mps" else torch.channels_last


@contextmanager
def in_float32(net: nn.Module) -> Iterator[None]:
    """Inside, `net` answers in float32 although its engine is bf16; any other network as always."""
    if not (isinstance(net, Fast) and net.engine.bf16):
        yield
        return
    net.__dict__["exact"] = True
    try:
        with full_float32():
            yield
    finally:
        net.__dict__["exact"] = False


def plain(net: nn.Module) -> nn.Module:
    """The network behind an engine, or `net` itself."""
    return net.net if isinstance(net, Fast) else net


def twin_of(net: nn.Module) -> nn.Module:
    """A frozen copy in eval mode that shares every parameter and buffer with `net`."""
    shared: dict[int, Any] = {id(b): b for b in net.buffers()}
    shared |= {id(p): nn.Parameter(p.detach(), requires_grad=False) for p in net.parameters()}
    twin: nn.Module = copy.deepcopy(net, shared)
    for parameter in twin.parameters():
        parameter.requires_grad_(False)
    return twin.eval()


def _storage(net: nn.Module) -> set[int]:
    return {t.data_ptr() for t in (*net.parameters(), *net.buffers())}


def _ran(net: nn.Module, engine: Engine) -> Callable[[Tensor], Tensor]:
    # its threads keep autocast and forget the type, which on CUDA is then float16
    threads = any(isinstance(module, nn.DataParallel) for module in net.modules())

    def forward(x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, torch.bfloat16, enabled=engine.bf16 and not threads):
            answer: Tensor = net(x)
        return answer

    return torch.compile(_with_own_code(forward), dynamic=False) if engine.compiled else forward


def _with_own_code(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The same function behind a code object of its own.

    Torch counts compiled variants per code object and silently stops compiling after eight; closures
    share theirs, so the networks of two trainings in one process would use the count up.
    """
    assert isinstance(function, FunctionType)
    code = function.__code__.replace()
    return FunctionType(code, function.__globals__, function.__name__, None, function.__closure__)


def decided(net: nn.Module, shape: Shape, passes: float, compile: Compile, precision: Precision) -> Engine:
    """The engine for `passes` forward passes of an image of `shape`; a backward pass counts as two.

    Depends on the machine and on the configuration alone, never on a clock, so that a resumed run
    decides the same. Raises `AdvkdError` where `compile=always` cannot be.
    """
    device, flops = device_of(net), _known_flops(net, shape)
    bf16 = precision == "bf16" or (precision == "auto" and flops >= SMALL and fast_bf16(device))
    pays = flops * passes >= REPAYS
    wanted = compile == "always" or (compile == "auto" and pays)
    missing = cannot_compile(device) if wanted else ""
    if missing and compile == "always":
        raise error("compile", f"impossible here: {missing}", remedy="install it, or compile=auto")
    if missing:
        log.info("not compiled: %s", missing)
    return Engine(bf16, wanted and not missing)


def large(net: nn.Module, shape: Shape) -> bool:
    """Whether arithmetic, and not the calls, is what a pass of an image of `shape` costs."""
    return _known_flops(net, shape) >= SMALL


def _known_flops(net: nn.Module, shape: Shape) -> float:
    try:
        return flops_of(net, shape, device_of(net))
    except torch.OutOfMemoryError:
        raise
    # the counter fails on a forward that differentiates itself, and such a network is left as it is
    except RuntimeError:
        return 0.0


def asked_for(compile: Compile, precision: Precision) -> dict[str, bool]:
    """The engine fields that were set explicitly, not `auto`."""
    asked = {} if precision == "auto" else {"bf16": precision == "bf16"}
    return asked if compile == "auto" else asked | {"compiled": compile == "always"}


def restored(about: Mapping[str, bool], device: torch.device) -> Engine:
    """The engine a checkpoint tells of. Raises `AdvkdError` where a compiled training cannot go on."""
    engine = Engine(**about)
    if engine.compiled and (missing := cannot_compile(device)):
        problem = f"the run needs compiling, impossible here: {missing}"
        raise error("resume", problem, remedy="install it, or go on where it was started")
    return engine


def flops_of(net: nn.Module, shape: Shape, device: torch.device) -> float:
    """Floating point operations of one forward pass of one image, by torch's counter."""
    counter = FlopCounterMode(display=False)
    with evaluating(net), torch.no_grad(), counter:
        net(torch.zeros(1, *shape, device=device))
    return float(counter.get_total_flops())


def fast_bf16(device: torch.device) -> bool:
    """Whether bf16 is faster than float32 here."""
    if device.type == "cuda":
        with torch.cuda.device(device):
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    probes = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return device.type == "cpu" and any(getattr(torch.cpu, probe, bool)() for probe in probes)
