"""Small float64 networks, batches and threats that most tests share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import hypothesis
import pytest
import torch
from fake import on_path
from made_comparison import comparison
from parts import TINY, small_net
from torch import Tensor, nn

from advkd import registry
from advkd.types import Batch, Threat

# small networks are faster on one thread, and do not wait for each other on a busy machine
torch.set_num_threads(1)
os.environ.setdefault("OMP_NUM_THREADS", "1")
hypothesis.settings.register_profile("plain", deadline=None)
hypothesis.settings.load_profile("plain")


@pytest.fixture
def student() -> nn.Module:
    return small_net(4, seed=1).train()


@pytest.fixture
def teacher() -> nn.Module:
    return small_net(8, seed=2).eval().requires_grad_(False)


@pytest.fixture
def batch() -> Batch:
    generator = torch.Generator().manual_seed(3)
    x = torch.rand(6, 1, 6, 6, generator=generator, dtype=torch.float64)
    return Batch(x, torch.tensor([0, 1, 2, 3, 4, 0]))


@pytest.fixture
def threat() -> Threat:
    return Threat(eps=0.1)


@pytest.fixture
def gradients() -> Callable[[Tensor, nn.Module], list[Tensor]]:
    def of(loss: Tensor, net: nn.Module) -> list[Tensor]:
        return list(torch.autograd.grad(loss, list(net.parameters()), allow_unused=True))

    return of


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    """A folder whose distributions count as installed."""
    folder = tmp_path / "site"
    folder.mkdir()
    with on_path(folder):
        yield folder


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADVKD_CACHE", str(shared_cache(tmp_path_factory)))


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))


def shared_cache(factory: pytest.TempPathFactory) -> Path:
    """One teacher cache per test session: teachers of the same recipe are trained once."""
    folder = factory.getbasetemp() / "teachers"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def adv_lib(tmp_path_factory: pytest.TempPathFactory) -> None:
    """adv-lib; where it is not installed, alone in a folder of the session, without what it asks for."""
    if find_spec("adv_lib") is not None:
        return
    folder = str(tmp_path_factory.mktemp("adv-lib"))
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--retries", "1", "--timeout", "15"]
    done = subprocess.run([*pip, "--target", folder, "adv-lib==0.2.8"], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"pip cannot fetch adv-lib: {done.stderr.strip().splitlines()[-1]}")
    sys.path.append(folder)


@pytest.fixture(autouse=True)
def _adv_lib_where_named(request: pytest.FixtureRequest) -> None:
    callspec = getattr(request.node, "callspec", None)
    if callspec is not None and any("advlib" in str(value).lower() for value in callspec.params.values()):
        request.getfixturevalue("adv_lib")


@pytest.fixture
def tiny() -> tuple[str, ...]:
    """Words of a run that takes seconds."""
    return TINY


@pytest.fixture(scope="session")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a comparison of two methods over two seeds; nobody writes into it."""
    return comparison(tmp_path_factory.mktemp("comparison"))
