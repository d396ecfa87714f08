"""The kit as a plugin author meets it: ids, messages, exceptions."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

# the first tensor without values loads it; pytester forgets what is loaded inside it, and torch has it twice
import torch._dynamo

from advkd import AdvkdError
from advkd.testing import conformance, findings
from advkd.testing.checks import checks
from advkd.testing.mutants import mutants
from advkd.testing.parts import changed, small_net, state
from advkd.testing.runner import title, trials
from advkd.weightings.margin import Boundary
from advkd.weightings.product import Product

pytest_plugins = ["pytester"]


PLUGIN = '''
from dataclasses import dataclass

import torch

from advkd.testing import conformance


@dataclass(frozen=True, kw_only=True)
class Late:
    """Later points count more."""

    power: float = 1.0
    bad: str = ""

    def __call__(self, view, step):
        """(T,B)."""
        t = len(view.path)
        weights = (torch.arange(t) + 1.0).to(view.path.x)[:, None].expand(t, view.path.x.shape[1])
        if self.bad == "raises":
            raise RuntimeError("out of weights")
        return -weights if self.bad == "negative" else weights**self.power


test_late = conformance("weightings", Late(), Late(power=3))
'''


def outcomes(pytester, more: str = "", *words: str):
    path = pytester.makepyfile(test_plugin=PLUGIN + more)
    return pytester.runpytest_inprocess(path, "-rA", "-p", "no:cacheprovider", *words)


def test_one_id_per_check_and_member(pytester):
    done = outcomes(pytester)
    wanted = sum(check.concerns(Boundary()) for check in checks("weightings").values())
    done.assert_outcomes(passed=2 * wanted)
    lines = done.stdout.str()
    for name in ("shape", "finite", "extreme_logits", "frozen_dataclass"):
        for member in ("Late()", "Late(power=3)"):
            assert f"::test_late[{name}-{member}]" in lines


def test_the_sentence_comes_first_in_a_failure(pytester):
    bad = 'test_bad = conformance("weightings", Late(bad="negative"))\n'
    done = outcomes(pytester, bad, "-k", "test_bad")
    done.assert_outcomes(passed=19, failed=3, deselected=44)
    text = done.stdout.str()
    failure = text[text.index("test_bad[non_negative-Late(bad=negative)]") :]
    assert failure.splitlines()[1] == "Weights are not negative."
    assert "the smallest is -4" in failure
    assert "Traceback" not in text


def test_an_error_of_the_member_shows_where(pytester):
    bad = 'test_bad = conformance("weightings", Late(bad="raises"))\n'
    done = outcomes(pytester, bad, "-k", "shape and bad")
    text = done.stdout.str()
    failure = text[text.index("Weights have shape (T,B)") :]
    assert "test_plugin.py" in failure
    assert "RuntimeError: out of weights" in failure
    assert "advkd/testing/" not in failure[: failure.index("RuntimeError: out of weights")]


def test_a_network_that_is_not_declared_is_shown_with_how_to():
    found = {finding.check: finding.why for finding in findings("weightings", Nosy())}
    assert "nets: ClassVar[tuple[str, ...]]" in found["reads_declared_nets"]
    assert "given    teacher" in found["reads_declared_nets"]


def test_exceptions_in_both_directions(pytester):
    declared = """
bad = {"non_negative": "on purpose", "one_point": "on purpose", "extreme_logits": "on purpose"}
test_bad = conformance("weightings", Late(bad="negative"), except_=bad)
test_good = conformance("weightings", Late(), except_={"finite": "was infinite once"})
"""
    done = outcomes(pytester, declared, "-k", "bad or good")
    done.assert_outcomes(passed=19 + 21, xfailed=3, failed=1, deselected=44)
    assert "It passes, so the exception declared for it has to go" in done.stdout.str()
    assert "was infinite once" in done.stdout.str()


@dataclass(frozen=True, kw_only=True)
class Nosy:
    """Reads the teacher without a word."""

    def __call__(self, view, step):
        return view.logits("teacher").softmax(2).amax(2)


def test_a_test_of_nothing_is_refused():
    with pytest.raises(AdvkdError, match="checks nothing"):
        conformance("weightings")


def test_an_exception_for_no_check_is_refused():
    with pytest.raises(AdvkdError, match="finite"):
        findings("weightings", Boundary(), except_={"finit": "?"})
    # it is a check, but says nothing of a weighting that covers the path
    with pytest.raises(AdvkdError, match="zero_elsewhere"):
        findings("weightings", Boundary(), except_={"zero_elsewhere": "?"})


def test_what_a_member_declares_chooses_its_checks():
    def chosen(slot, member):
        return {case.check.name for case in trials(slot, member)}

    assert "zero_elsewhere" not in chosen("weightings", Boundary())
    assert "zero_elsewhere" in chosen("weightings", mutants("weightings")["zero_elsewhere"])
    assert "refuses_other_norms" not in chosen("attacks", mutants("attacks")["stays_in_box"])
    assert "zero_at_equality" not in chosen("losses", mutants("losses")["per_sample"])


def test_titles_show_what_is_not_default():
    assert title(Boundary()) == "Boundary()"
    product = Product(left=Boundary(), right=Boundary(kappa=1.0))
    assert title(product) == "Product(left=Boundary(), right=Boundary(kappa=1.0))"
    assert len(title(Product(left=product, right=product))) == 70
    assert title("digits epochs=2") == "digits epochs=2"


def test_pytest_is_not_needed_to_run_checks():
    code = "import sys, advkd.testing as t; t.findings('losses', *[]); print('pytest' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_optimised_python_checks_all_the_same():
    code = "from advkd.testing.checks import require; require(False, 'it was seen')"
    done = subprocess.run([sys.executable, "-O", "-c", code], capture_output=True, text=True, check=False)
    assert "Broken: it was seen" in done.stderr


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda net: net.eval(), "train and eval flags"),
        (lambda net: net(torch.rand(2, 1, 6, 6).double()), "buffers"),
        (lambda net: net[0].weight.data.mul_(2), "parameters"),
        (lambda net: net[0].weight.requires_grad_(False), "requires_grad flags"),
        (lambda net: net[0].weight.sum().backward(), "parameter gradients"),
        (lambda net: setattr(net[1], "momentum", 0.5), "BatchNorm momentum"),
        (lambda net: torch.rand(1), "torch's global generator"),
    ],
)
def test_a_state_sees_what_changes(change, says):
    net = small_net()
    before = state(net)
    assert not changed(before, state(net))
    change(net)
    assert says in changed(before, state(net))


def test_nothing_but_the_command_imports_the_kit():
    root = Path(__file__).parents[2]
    found = {
        file.relative_to(root).as_posix()
        for file in (*root.glob("advkd/**/*.py"), *root.glob("plugins/**/*.py"))
        if "testing" not in file.parts and re.search(r"(from|import) advkd\.testing", file.read_text())
    }
    assert found == {"advkd/commands/check.py"}
