"""What training costs: passes through each network, counted in images; time; peak memory."""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from advkd.networks.modes import device_of


class Cost:
    """Counts images forwarded and backpropagated through each network inside `counting`."""

    def __init__(self, nets: Mapping[str, nn.Module]) -> None:
        self._nets = nets
        self.passes: Counter[str] = Counter()
        self.seconds = 0.0
        self.images = 0
        self._here: list[float] = []
        self._warm_up_before = 0.0
        self._device = device_of(nn.ModuleList(nets.values()))

    @property
    def warm_up(self) -> float:
        """Seconds by which the first step of each process exceeds the median step: mostly compilation."""
        beyond = self._here[0] - statistics.median(self._here) if self._here else 0.0
        return self._warm_up_before + max(beyond, 0.0)

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Counts passes and time of the block."""
        handles = [net.register_forward_hook(self._hook(name)) for name, net in self._nets.items()]
        begin = time.perf_counter()
        try:
            yield
        finally:
            self._here.append(time.perf_counter() - begin)
            self.seconds += self._here[-1]
            for handle in handles:
                handle.remove()

    def _hook(self, name: str) -> Any:
        def forwarded(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:  # noqa: ARG001
            n = len(output)
            self.passes[f"{name}_forwards"] += n
            if output.requires_grad:
                output.register_hook(  # type: ignore[no-untyped-call]
                    lambda _: self.passes.update({f"{name}_backwards": n})
                )

        return forwarded

    def state(self) -> dict[str, Any]:
        """What a resumed run goes on counting from."""
        return {
            "passes": dict(self.passes),
            "seconds": self.seconds,
            "images": self.images,
            "warm_up": self.warm_up,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Goes on from `state`."""
        self.passes = Counter(state["passes"])
        self.seconds, self.images = state["seconds"], state["images"]
        self._warm_up_before = state.get("warm_up", 0.0)

    def summary(self) -> dict[str, float]:
        """The `cost` of a result, without its total seconds."""
        names = [f"{net}_{what}" for net in ("student", "teacher") for what in ("forwards", "backwards")]
        return {
            "train_seconds": round(self.seconds, 3),
            "warm_up_seconds": round(self.warm_up, 3),
            "images_per_second": round(self.images / self.seconds, 2) if self.seconds else 0.0,
            **{name: self.passes[name] for name in names},
            **{f"{name}_parameters": _parameters(net) for name, net in self._nets.items()},
            "peak_memory_mb": peak_memory_mb(self._device),
        }


def _parameters(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def restart_peak(device: torch.device) -> None:
    """From here on `peak_memory_mb` counts anew what `device`, if a GPU, has held at most."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory_mb(device: torch.device) -> float:
    """The largest resident memory of this process so far, plus what `device`, if a GPU, has held at most.

    What a process has held resident cannot be counted anew.
    """
    unit = 2**20 if sys.platform == "darwin" else 2**10
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    held = torch.cuda.max_memory_allocated(device) / 2**20 if device.type == "cuda" else 0.0
    return round(resident + held, 1)
