"""Mistakes of plugin authors, each said of the member and not of the toolkit."""

from __future__ import annotations

import pytest
import torch
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
    assert done.exit_code == 2, done.output
    assert says in done.output


def test_a_function_is_no_member():
    with pytest.raises(AdvkdError, match=r"is not a class\n.*function\n.*a frozen dataclass"):

        @advkd.register("weightings", "late")
        def late(view, step):
            return view


def test_a_member_that_cannot_be_called_is_refused():
    class Late:
        def forward(self, view, step):
            return view

    with pytest.raises(AdvkdError, match=r"has no __call__\n.*the contract is __call__\(self, view"):
        advkd.register("weightings", "late")(Late)


@pytest.mark.parametrize(
    ("slot", "remedy"),
    [("models", r"__call__\(classes, shape\) gives a new network"), ("losses", "a frozen dataclass")],
)
def test_a_network_is_no_member(slot, remedy):
    class Net(torch.nn.Module):
        def forward(self, x):
            return x

    with pytest.raises(AdvkdError, match=rf"is a network.*\n  given    torch.nn.Module\n.*{remedy}"):
        advkd.register(slot, "net")(Net)


@pytest.mark.parametrize(
    ("attribute", "value", "nearest"),
    [("knowledge", "blackbox", "black-box"), ("kind", "fixed", "fixed-budget")],
)
def test_an_evaluator_says_what_it_is_in_words_that_are_known(attribute, value, nearest):
    class Odd:
        kind, knowledge = "fixed-budget", "white-box"

        def passes(self, classes):
            return None

        def __call__(self, net, batch, threat, generator):
            return batch

    setattr(Odd, attribute, value)
    with pytest.raises(AdvkdError, match=rf"{attribute}: unknown {attribute}\n.*\n  nearest  {nearest}"):
        advkd.register("evaluators", "odd")(Odd)


TWO = """
import advkd

def helped(view):
    return view.logitz

@advkd.register("weightings", "good")
class Good:
    def __call__(self, view, step):
        return view.path.x

@advkd.register("weightings", "mine")
class Mine:
    def __call__(self, view, step):
        return helped(view)
"""


@pytest.fixture
def two(tmp_path):
    """A file of two weightings, of which the second fails in a function beside it."""
    file = tmp_path / "two_weightings.py"
    file.write_text(TWO)
    return file


def test_the_member_that_failed_is_named_not_the_first_of_its_file(two, tiny, tmp_path):
    done = CliRunner().invoke(main, ["run", *WORDS, *tiny, f"load={two}", f"out={tmp_path / 'run'}"])
    assert done.exit_code == 2
    assert "weighting mine: AttributeError: 'View' object has no attribute 'logitz'" in done.stderr
    assert f"{two}:5, in helped" in done.stderr


def test_a_comparison_names_the_line_too(two, tiny, tmp_path):
    words = ["presets=mine:path-single,also:path-single", WORDS[1], "also.optimizer.lr=0.01", "seeds=0"]
    words += [word for word in tiny if not word.startswith("evaluation")]
    more = (f"load={two}", "jobs=1", "limit=20", f"out={tmp_path / 'compared'}")
    done = CliRunner().invoke(main, ["compare", *words, *more])
    assert "failed  mine, seed 0: weighting mine: AttributeError" in done.output
    assert f"{two}:5, in helped" in done.output


def test_an_audit_names_the_line_too(tmp_path):
    class Odd:
        kind, knowledge = "fixed-budget", "white-box"

        def passes(self, classes):
            return None

        def __call__(self, net, batch, threat, generator):
            return batch.z

    advkd.register("evaluators", "odd")(Odd)
    x = torch.rand(4, 1, 4, 4)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 4))
    data = torch.utils.data.TensorDataset(x, net(x).argmax(1))
    with pytest.raises(AdvkdError, match=r"'z'\n  given    .*test_authors\.py:\d+, in __call__"):
        advkd.audit(net, data, advkd.Threat(eps=0.1), evaluators={"odd": "odd"}, out=tmp_path)
