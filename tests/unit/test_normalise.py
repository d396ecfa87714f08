"""From raw weights to normalised and drawn ones."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from one_step import step_of
from torch.testing import assert_close

from advkd import AdvkdError
from advkd.losses.divergence import KL
from advkd.methods.point_weights import drawn, normalised, weights_of
from advkd.methods.spec import Term
from advkd.types import Path
from advkd.view import View
from advkd.weightings.position import Ends, Linear, Uniform


class Raw:
    """Gives what it was made with."""

    def __init__(self, raw):
        self.raw = raw

    def __call__(self, view, step):
        return self.raw


@pytest.fixture
def view(student, teacher, batch, threat):
    return View(Path(torch.stack([batch.x] * 4), batch.y), step_of(student, teacher, threat))


def of(view, weight, **options):
    return weights_of(
        Term(loss=KL(), target="teacher@start", weight=weight, **options), view, view.step, "b.t"
    )


def test_rules():
    raw = torch.tensor([[1.0, 0.0, 4.0], [3.0, 0.0, 1.0]])
    assert_close(normalised(raw, "none"), raw)
    assert_close(normalised(raw, "per-sample"), torch.tensor([[0.25, 0.0, 0.8], [0.75, 0.0, 0.2]]))
    assert_close(normalised(raw, "per-batch"), raw / 3)
    assert_close(normalised(raw * 0, "per-batch"), raw * 0)
    assert_close(normalised(raw, "per-batch-max"), torch.tensor([[0.25, 0.0, 1.0], [1.0, 0.0, 1 / 3]]))


@given(st.integers(0, 1000))
def test_per_sample_weights_sum_to_one_or_stay_zero(seed):
    raw = torch.rand(5, 7, generator=torch.Generator().manual_seed(seed))
    raw[:, 2] = 0
    total = normalised(raw, "per-sample").sum(0)
    assert total[2] == 0
    assert_close(total[[0, 1, 3, 4, 5, 6]], torch.ones(6))


def test_the_smallest_weights_are_divided_like_any_other():
    raw = torch.tensor([[1.0, 0.5], [3.0, 1.5]])
    for rule in ("per-sample", "per-batch", "per-batch-max"):
        # powers of two, of which float32 keeps every digit here
        assert_close(normalised(raw * 2.0**-140, rule), normalised(raw, rule))


def test_a_weighting_of_the_path_leaves_the_clean_image_out(view):
    assert_close(of(view, Uniform())[:, 0], torch.tensor([0, 1 / 3, 1 / 3, 1 / 3], dtype=torch.float64))
    assert_close(of(view, Uniform(), start=True)[:, 0], torch.full((4,), 0.25, dtype=torch.float64))


def test_a_weighting_that_names_its_points_is_not_normalised(view):
    assert_close(of(view, Ends())[:, 0], torch.tensor([1, 0, 0, 1], dtype=torch.float64))
    assert_close(of(view, Ends(), normalise="per-sample")[:, 0].sum().item(), 1.0)


def test_normalise_none_keeps_raw_weights(view):
    assert_close(of(view, Linear(), normalise="none")[:, 0], torch.arange(4, dtype=torch.float64) / 3)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (-torch.ones(4, 6), "not negative"),
        (None, "shape"),
        (torch.full((4, 6), float("nan")), "finite"),
        (torch.ones(4), r"shape \(T,B\) = \(4, 6\)"),
    ],
)
def test_bad_weights_are_refused_by_place(view, raw, says):
    with pytest.raises(AdvkdError, match=rf"b\.t\.weight \(Raw, epoch 0, step 0\): .*{says}") as caught:
        of(view, Raw(raw))
    assert "advkd check weighting" in str(caught.value)


def test_drawn_points_follow_their_weights():
    weights = torch.tensor([[0.0, 0.0], [1.0, 0.0], [3.0, 0.0], [0.0, 0.0]])
    draw = drawn(weights, 5000, torch.Generator().manual_seed(0))
    assert draw.k.shape == (5000, 2)
    assert_close(draw.factor, torch.tensor([4 / 5000, 0.0]))
    assert set(draw.k[:, 0].tolist()) == {1, 2}
    assert (draw.k[:, 0] == 2).double().mean().item() == pytest.approx(0.75, abs=0.02)


def test_a_sample_without_weights_draws_what_counts_for_others():
    weights = torch.tensor([[0.0, 0.0], [1.0, 0.0], [3.0, 0.0], [0.0, 0.0]])
    draw = drawn(weights, 500, torch.Generator().manual_seed(0))
    assert set(draw.k[:, 1].tolist()) == {1, 2}
