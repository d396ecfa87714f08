"""Random streams: every draw of a run comes from a generator seeded by what it is for, and when.

Nothing needs saving for a resume, and every method of one seed sees the same data order, augmentation
and initial weights. Generators live on the CPU, so that all devices see the same noise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch

Streams = Callable[..., torch.Generator]
"""`streams("attack", epoch, step, "targeted")`: the generator of one purpose at one moment."""


def derive(*key: object) -> int:
    """A seed of 63 bits from the words of a key; torch's generator of the CPU uses the last 32."""
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def streams(seed: int) -> Streams:
    """The streams of one seed."""

    def generator(*key: object) -> torch.Generator:
        return torch.Generator().manual_seed(derive(seed, *key))

    return generator


def drawn(generator: torch.Generator) -> int:
    """A seed for code of others, which draws from global generators or seeds itself."""
    return int(torch.randint(2**31, (1,), generator=generator))


@contextmanager
def global_seed(*key: object) -> Iterator[None]:
    """Seeds torch's global generators inside the block, and puts them back as they were."""
    with forked(derive(*key)):
        yield


@contextmanager
def forked(seed: int | None = None) -> Iterator[None]:
    """Puts torch's global generators back after the block: those of the CPU and of the GPUs in use.

    These are seeded inside with `seed`, if there is one. A GPU on which nothing lies is left alone, and a
    process that has not begun with CUDA or XPU does not begin here.
    """
    begun = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    devices = range(torch.cuda.device_count()) if begun else ()
    used = [index for index in devices if torch.cuda.memory_reserved(index)]
    # fork_rng cannot ask MPS, whose generator belongs to no numbered device
    mps = torch.mps.get_rng_state() if torch.backends.mps.is_available() else None
    xpu = torch.xpu.get_rng_state_all() if _xpu_begun() else None
    with torch.random.fork_rng(devices=used):
        if seed is not None:
            _seed(seed, used)
        try:
            yield
        finally:
            if mps is not None:
                torch.mps.set_rng_state(mps)
            if xpu is not None:
                torch.xpu.set_rng_state_all(xpu)


def _seed(seed: int, gpus: Iterable[int]) -> None:
    # not `torch.manual_seed`: it seeds every GPU, and one that begins later in place of the user's seed
    torch.default_generator.manual_seed(seed)
    for index in gpus:
        torch.cuda.default_generators[index].manual_seed(seed)
    if torch.backends.mps.is_available():
        torch.mps.manual_seed(seed)
    if _xpu_begun():
        torch.xpu.manual_seed_all(seed)


def _xpu_begun() -> bool:
    return bool(torch.xpu.is_initialized())  # type: ignore[no-untyped-call]
