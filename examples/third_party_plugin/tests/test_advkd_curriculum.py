"""What is in advkd-curriculum keeps its contracts and does what its card says."""

import pytest
import torch
from advkd.errors import AdvkdError
from advkd.step import Step
from advkd.streams import streams
from advkd.testing import conformance
from advkd.types import Path, Threat
from advkd.view import View

from advkd_curriculum.weighting import CurriculumWeighting

test_weighting = conformance(
    "weightings",
    CurriculumWeighting(),
    CurriculumWeighting(first=1, last=0.2, width=0.05),
)
test_preset = conformance("presets", "curriculum")


@pytest.mark.parametrize(("progress", "heaviest"), [(0.0, 2), (0.5, 6), (1.0, 10)])
def test_centre_moves_with_training(progress: float, heaviest: int) -> None:
    """From a fifth of the path to its end."""
    step = Step(nets={}, threat=Threat(eps=0.1), streams=streams(0), progress=progress)
    path = Path(torch.zeros(11, 2, 1, 4, 4), torch.tensor([0, 1]))
    weights = CurriculumWeighting()(View(path, step), step)
    assert weights.argmax(0).tolist() == [heaviest, heaviest]


@pytest.mark.parametrize("wrong", [{"first": -0.1}, {"last": 2}, {"width": 0}])
def test_options_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    """With their name."""
    with pytest.raises(AdvkdError, match=next(iter(wrong))):
        CurriculumWeighting(**wrong)
