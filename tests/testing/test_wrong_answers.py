"""What the kit says of mistakes that are easily made: no traceback of its own, and the same thing once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch

import advkd
from advkd import AdvkdError
from advkd.registry.contracts import check
from advkd.testing import findings
from advkd.types import Path


@dataclass(frozen=True, kw_only=True)
class Giving:
    """A weighting whose answer is wrong."""

    wrong: str

    def __call__(self, view: Any, step: Any) -> Any:
        shape = view.path.x.shape[:2]
        return {
            "nothing": None,
            "list": [torch.ones(shape)],
            "elsewhere": torch.ones(shape, dtype=view.path.x.dtype),
        }[self.wrong]


@dataclass(frozen=True, kw_only=True)
class Noisy:
    """A path sampler that adds noise."""

    moved: bool

    def __call__(self, walk: Any, batch: Any, step: Any) -> Any:
        path, draws = walk(batch.x, batch.y), step.generator("noise")
        device = "cpu" if self.moved else path.x.device
        noise = torch.rand(path.x.shape, generator=draws, dtype=path.x.dtype, device=device).to(path.x)
        return Path(step.threat.project(path.x + 0.01 * noise, path.x[0]), path.y)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A path sampler that returns points and classes."""

    def __call__(self, walk: Any, batch: Any, step: Any) -> Any:
        path = walk(batch.x, batch.y)
        return path.x, path.y


@dataclass(frozen=True, kw_only=True)
class Unkind:
    """A divergence that does not say so."""

    def __call__(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return (logits.softmax(1) - target.softmax(1)).square().sum(1)


def failed(slot: str, member: Any) -> dict[str, str]:
    return {finding.check: finding.why for finding in findings(slot, member) if finding.state == "failed"}


@pytest.mark.parametrize("wrong", ["nothing", "list"])
def test_a_weighting_that_gives_no_tensor_is_told_so_in_one_way(wrong):
    whys = failed("weightings", Giving(wrong=wrong))
    assert "instead of a tensor" in whys["shape"]
    assert whys["finite"] == whys["shape"] == whys["neighbours_do_not_matter"]
    assert sum(why.count("\n") + 1 for why in set(whys.values())) < 20


def test_a_path_sampler_that_gives_no_path_is_told_so_in_one_way():
    (why,) = set(failed("paths", Pair()).values())
    assert why == "it gives a tuple instead of a Path, or None"


def test_a_loss_without_its_kind_is_told_so():
    whys = failed("losses", Unkind())
    assert "has no kind" in whys.pop("signature_fits")
    assert set(whys.values()) == {"kind is None"}
    with pytest.raises(AdvkdError, match="has no kind"):
        advkd.register("losses", "unkind")(Unkind)


def test_a_draw_on_the_device_by_a_generator_of_the_processor_is_caught():
    assert not {"keeps_device"} & failed("paths", Noisy(moved=True)).keys()
    assert "draws elsewhere than on its generator" in failed("paths", Noisy(moved=False))["keeps_device"]


def test_an_answer_on_another_device_is_caught():
    assert (
        "its answer is on another device; make it where"
        in failed("weightings", Giving(wrong="elsewhere"))["keeps_device"]
    )


def test_nets_are_a_tuple():
    class Named:
        nets = "teacher"

        def __call__(self, view: Any, step: Any) -> Any: ...

    with pytest.raises(AdvkdError, match=r'\("teacher",\)'):
        check("weightings", "weighting named", Named)
