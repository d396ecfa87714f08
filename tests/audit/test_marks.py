"""Numbers of one network are never taken for those of another that has the same weights."""

from __future__ import annotations

import pytest
import torch
from audit_parts import BRIEF, Linear
from torch import Tensor, nn

import advkd
from advkd.auditing.marks import Mark, marked
from advkd.errors import AdvkdError


class Rounded(nn.Module):
    """Its digits are those of `net`, whatever `levels` says; `noise` makes it random."""

    def __init__(self, net: nn.Module, levels: int = 0, noise: float = 0.0) -> None:
        super().__init__()
        self.net, self.levels, self.noise = net, levels, noise

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.noise * torch.randn_like(x)
        return self.net((x * self.levels).round() / self.levels if self.levels else x)


def test_a_changed_attribute_is_another_network(robust, digits, threat, tmp_path):
    advkd.audit(Rounded(robust), digits, threat, out=tmp_path, **BRIEF)
    before = (tmp_path / "examples.npz").read_bytes()
    with pytest.raises(AdvkdError, match="another model"):
        advkd.audit(Rounded(robust, 3), digits, threat, out=tmp_path, **BRIEF)
    assert (tmp_path / "examples.npz").read_bytes() == before
    advkd.audit(Rounded(robust), digits, threat, out=tmp_path, **BRIEF)


def test_another_network_to_ask_is_noticed(robust, digits, threat, tmp_path):
    brief = BRIEF | {"evaluators": {"sibling": {"use": "transfer", "source": "sibling", "steps": 3}}}
    siblings = [{"sibling": Linear(10, 64)}, {"sibling": Rounded(robust, 3)}]
    advkd.audit(robust, digits, threat, out=tmp_path, nets=siblings[0], **brief)
    with pytest.raises(AdvkdError, match="another model"):
        advkd.audit(robust, digits, threat, out=tmp_path, nets=siblings[1], **brief)


@pytest.mark.parametrize("other", [{"levels": 3}, {"noise": 0.05}])
def test_a_teacher_of_the_same_weights_is_judged_itself(other, robust, digits, threat):
    brief = BRIEF | {"evaluators": {"pgd": BRIEF["evaluators"]["pgd"], "transfer": "transfer"}}
    verdict = advkd.audit(
        Rounded(robust), digits, threat, nets={"teacher": Rounded(robust, **other)}, **brief
    )
    model, judged = verdict.rows["model"], verdict.rows["teacher"]
    assert "transfer" in model.entries
    assert not torch.equal(model.survivors, judged.survivors)


def test_a_network_to_ask_that_cannot_be_asked_is_named(robust, digits, threat):
    with pytest.raises(AdvkdError, match=r"nets\.sibling: fails on the images"):
        advkd.audit(robust, digits, threat, nets={"sibling": Linear(10, 63)}, **BRIEF)


def test_marks_without_answers_are_compared_by_their_digits(robust, digits):
    mark = marked({"it": robust}, digits.batch(torch.arange(20)).x)["it"]
    assert Mark.of(mark.about).fits(mark)
    assert Mark.of(mark.digits).fits(mark)
    assert not Mark("0" * 16).fits(mark)


def test_marks_of_batches_of_two_sizes_are_of_one_network(robust, digits):
    x = digits.batch(torch.arange(20)).x
    few, many = (marked({"it": robust}, x[:n])["it"] for n in (5, 20))
    assert few.fits(many)
    assert many.fits(few)
    plain, rounded = (marked({"it": Rounded(robust, levels)}, x)["it"] for levels in (0, 3))
    assert plain.digits == rounded.digits
    assert not plain.fits(rounded)
