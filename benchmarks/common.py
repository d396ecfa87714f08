"""What the benchmarks of speed share: networks, one step of the toolkit, rounds in turn, what it ran on."""

from __future__ import annotations

import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import advkd
from advkd.config.build import member
from advkd.data.images import Images
from advkd.networks.device import environment
from advkd.networks.engine import fast_bf16
from advkd.streams import global_seed
from advkd.training.loop import Setup, Training
from advkd.types import Shape

NETWORKS: Mapping[str, dict[str, Any]] = {
    "tiny-cnn": {"use": "tiny-cnn", "width": 16},
    "resnet20": {"use": "resnet20", "width": 16},
    "resnet18": {"use": "resnet18"},
    "mobilenetv2": {"use": "mobilenetv2"},
}
SHAPE = (3, 32, 32)


def networks(name: str, classes: int = 10, shape: Shape = SHAPE) -> tuple[nn.Module, nn.Module]:
    """A student and, for its teacher, one of the same kind; the same weights each time."""
    made = []
    for seed in (0, 1):
        with global_seed(seed, "benchmark"):
            made.append(member("models", dict(NETWORKS[name]), "student")[0](classes, shape))
    return made[0], made[1].eval().requires_grad_(False)


def trainer(
    preset: str, network: str, x: Tensor, y: Tensor, *words: str, classes: int = 10
) -> Callable[[], None]:
    """One training step of the toolkit on fixed images, as its loop makes it."""
    run = advkd.resolve(
        f"preset={preset}", "setting=cifar10", f"batch_size={len(x)}", "teacher=resnet20", *words
    )
    student, teacher = networks(network, classes)
    images = Images(x, y)
    setup = Setup(
        nets={"student": student, "teacher": teacher},
        train=images,
        validation=images,
        folder=Path(tempfile.mkdtemp()),
        report=lambda _: None,
        about={},
    )
    training = Training(run, setup)
    training.nets["student"].train()
    index = 0

    def step() -> None:
        nonlocal index
        with training.cost.counting(), global_seed(0, "step", index):
            training.step(index % training.steps, torch.arange(len(x)))
        index += 1

    return step


def in_turn(steps: Mapping[str, Callable[[], object]], rounds: int = 5) -> dict[str, float]:
    """Median seconds of each step, measured in turn; the first two calls of each are not counted."""
    for step in steps.values():
        step()
        step()
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            begin = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - begin)
    return {name: statistics.median(values) for name, values in seconds.items()}


def fast_dtype() -> torch.dtype:
    """What `precision=auto` computes in here."""
    return torch.bfloat16 if fast_bf16(torch.device("cpu")) else torch.float32


def ceiling(dtype: torch.dtype, size: int = 2048) -> float:
    """FLOP/s of a matrix product, the most this machine gives."""
    a = torch.randn(size, size).to(dtype)
    return 2 * size**3 / in_turn({"product": lambda: a @ a}, 7)["product"]


def written(name: str, content: Mapping[str, Any]) -> None:
    """Puts the numbers, the command and the machine into `benchmarks/results/NAME.json`."""
    about = {
        "command": " ".join(["python", *sys.argv]),
        "processor": processor(),
        **environment(torch.device("cpu")),
    }
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    text = json.dumps({"about": about, **content}, indent=2) + "\n"
    (folder / f"{name}.json").write_text(text)


def processor() -> str:
    """What the operating system calls the processor, with the matrix units torch sees."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    units = [name for name in ("amx_tile", "avx512_bf16") if _has(name)]
    return f"{model or platform.processor()} ({', '.join(units) or 'no bf16 units'})"


def _has(unit: str) -> bool:
    return bool(getattr(torch.cpu, f"_is_{unit}_supported", bool)())
