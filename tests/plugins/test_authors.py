"""Mistakes of plugin authors, each said of the member and not of the toolkit."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

import advkd
from advkd.cli import main
from advkd.errors import AdvkdError

MEMBER = """
from __future__ import annotations
from dataclasses import dataclass
from typing import TYPE_CHECKING
import torch
import advkd
if TYPE_CHECKING:
    from advkd.types import Real

@advkd.register("weightings", "mine")
@dataclass(frozen=True, kw_only=True)
class Mine:
    {option}

    def __call__(self, view, step):
        return torch.ones(len(view.path.y))
"""
WORDS = ("preset=path-single", "method.branches.untargeted.terms.path.weight=mine")


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("power: Real = 1.0", "Mine: an annotation cannot be read: name 'Real' is not defined"),
        ("call: object = print", "weight.call: its default is no plain value"),
    ],
)
def test_an_option_that_cannot_be_one(option, says, tmp_path):
    file = tmp_path / f"mine_{option[:4]}.py"
    file.write_text(MEMBER.format(option=option))
    done = CliRunner().invoke(main, ["show", *WORDS, f"load={file}"])
    advkd.registry._registered.pop(("weightings", "mine"), None)
    assert done.exit_code == 2, done.output
    assert says in done.output


def test_a_function_is_no_member():
    with pytest.raises(AdvkdError, match=r"is not a class\n.*function\n.*a frozen dataclass"):

        @advkd.register("weightings", "late")
        def late(view, step):
            return view
