"""`advkd check`: what it prints, and its exit status."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from advkd.cli import main

MINE = '''
from dataclasses import dataclass

import advkd


@advkd.register("losses", "{name}")
@dataclass(frozen=True, kw_only=True)
class Mine:
    """A loss of my own."""

    kind = "label"
    sign: float = 1.0

    def __call__(self, logits, target):
        """(B,N) and (B,) to (B,)."""
        return self.sign * (logits.logsumexp(1) - logits.gather(1, target[:, None]).squeeze(1))
'''


def check(*words: str):
    done = CliRunner().invoke(main, ["check", *words])
    return done.exit_code, done.output


@pytest.mark.parametrize(
    "words",
    [
        ("weighting", "boundary", "kappa=1/2"),
        ("losses", "kl", "temperature=4"),
        ("weighting", "product", "left=end", "right={use: entropy, favour: low}"),
        ("preset", "standard"),
        ("setting", "folder", "data.path=images"),
        ("suite", "quick"),
    ],
)
def test_a_conforming_member_passes(words):
    status, text = check(*words)
    assert status == 0, text
    assert text.count("passed") == len(text.splitlines())


def test_an_exception_is_shown_with_its_reason():
    status, text = check("preset", "ard-official")
    assert status == 0
    lines = text.splitlines()
    (row,) = [i for i, line in enumerate(lines) if line.startswith("excepted")]
    assert "walking_leaves_no_trace" in lines[row]
    assert "attack_bn: published" in lines[row + 1]


def test_a_failure_is_status_1_and_says_why():
    status, text = check("attack", "pgd", "steps=1", "init=none")
    assert status == 1
    assert "failed    reaches_linear_optimum" in text
    assert "linf: it reaches 0.250 of the possible increase" in text


def test_a_file_of_ones_own(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(MINE.format(name="mine-to-check"))
    assert check("loss", "mine-to-check", f"load={file}")[0] == 0
    assert check("loss", "mine-to-check", "sign=-1")[0] == 1


def test_a_preset_file(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text('about: "Mine."\nextends: standard\n')
    assert check("preset", str(file))[0] == 0
    file.write_text("extends: standard\n")
    status, text = check("preset", str(file))
    assert (status, text.count("failed ")) == (1, 1)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("weighting", "bondary"), "boundary"),
        (("wheighting", "boundary"), "weighting"),
        (("weighting", "boundary", "kapa=1"), "kappa"),
        (("weighting", "boundary", "kappa=0"), "must be positive"),
        (("weighting", "boundary", "kappa"), "is not key=value"),
        (("weighting", "boundary", "~kappa"), "write it as key=value"),
        (("loss", "mine", "load=nowhere.py"), "no such file"),
        (("preset", "rslat"), "rslad"),
        (("method", "branches"), "needs a value"),
        (("weighting", "product"), "write left=VALUE"),
    ],
)
def test_what_a_user_can_repair_is_status_2(words, says):
    status, text = check(*words)
    assert status == 2
    assert says in text
    assert "Traceback" not in text
