"""What a function of a file may give to be judged, and what is said of one that does not."""

from __future__ import annotations

import pytest
from audit_parts import FILE, QUICK, run


@pytest.mark.parametrize(
    ("function", "says"),
    [
        ("few", "model: answers with 4 classes, the data has 10"),
        ("nan", "model: answers with NaN or infinity\n  given    image 0"),
        ("picky", "model: fails on the images 16 to 19: ValueError: not four"),
        ("words", "target: is no torch.nn.Module\n  given    str from words()"),
        ("broken", "target: broken() failed: ZeroDivisionError"),
        ("features", "model: does not answer with logits (B,N)"),
        ("god", "target: unknown function of nets.py\n  given    god\n  nearest  good"),
    ],
)
def test_functions_that_give_no_network_to_judge(function, says, tmp_path):
    (tmp_path / "nets.py").write_text(FILE)
    words = ("setting=digits", *QUICK, "batch_size=8", f"out={tmp_path / 'out'}")
    assert says in run(f"{tmp_path / 'nets.py'}:{function}", *words, status=2)


def test_a_function_of_a_file(tmp_path):
    (tmp_path / "nets.py").write_text(FILE)
    said = run(f"{tmp_path / 'nets.py'}:good", "setting=digits", *QUICK, f"out={tmp_path / 'out'}")
    assert "flag below-record" in said
    strict = ("--strict", "setting=digits", *QUICK, f"out={tmp_path / 'out'}")
    run(f"{tmp_path / 'nets.py'}:good", *strict, status=3)


def test_a_function_that_ends_the_process_is_told_and_is_no_flag(tmp_path):
    (tmp_path / "nets.py").write_text("def quit():\n    raise SystemExit(3)\n")
    said = run(f"{tmp_path / 'nets.py'}:quit", "setting=digits", *QUICK, status=2)
    assert "quit() failed: SystemExit" in said
