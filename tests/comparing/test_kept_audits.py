"""What becomes of a comparison whose audits are damaged, older, or of something else."""

import json
import shutil

import numpy as np
import pytest
from compare_parts import WORDS, audit_of

import advkd
from advkd.training.folder import locked


@pytest.mark.parametrize("cut", ["none tried", "one attack", "every array"])
def test_an_audit_with_missing_examples_costs_its_cell(copy, cut):
    file = audit_of(copy) / "examples.npz"
    with np.load(file) as arrays:
        content = dict(arrays)
    if cut == "none tried":
        content["student.clean.tried"][3] = False
    for key in content:
        if key.startswith("student.fgsm" if cut == "one attack" else "student.") and cut != "none tried":
            content[key] = content[key][:-10]
    np.savez(file, **content)
    with pytest.raises(advkd.AdvkdError, match="does not hold every one of 60 images"):
        advkd.report([copy])
    found = advkd.compare(*WORDS, out=copy)
    assert [one.error == "" for one in found.made] == [False, True, True, True]
    assert "it does not hold every one of 60 images" in found.failed[0]
    assert "remove it and result.json beside it and run the same command again" in found.failed[0]


def test_a_student_judged_anew_is_told_and_not_shown_beside_an_older_verdict(copy):
    file = audit_of(copy) / "examples.npz"
    with np.load(file) as arrays:
        content = dict(arrays)
    content["student.fgsm"][:] = False
    np.savez(file, **content)
    with pytest.raises(advkd.AdvkdError, match="a student was judged anew since"):
        advkd.report([copy])
    advkd.compare(*WORDS, out=copy)
    advkd.report([copy])


def test_a_damaged_audit_of_the_teacher_leaves_it_out(copy, caplog):
    [audit] = (copy.parent / "cells").glob("teacher-*/*/examples.npz")
    audit.write_bytes(audit.read_bytes()[:99])
    found = advkd.compare(*WORDS, out=copy)
    assert (found.teacher, found.failed) == (None, [])
    assert "the teacher is not judged" in caplog.text


def test_judging_the_teacher_is_announced_where_it_takes_time(copy, caplog):
    caplog.set_level("INFO", "advkd")
    advkd.compare(*WORDS, out=copy)
    assert "judging the teacher" not in caplog.text
    [audit] = (copy.parent / "cells").glob("teacher-*/*/result.json")
    shutil.rmtree(audit.parent)
    advkd.compare(*WORDS, out=copy)
    assert caplog.text.count("judging the teacher by suite") == 1


def test_an_audit_of_the_teacher_that_another_process_makes_is_waited_for(copy, monkeypatch):
    [file] = (copy.parent / "cells").glob("teacher-*/*/result.json")
    before = json.loads((copy / "result.json").read_text())["teacher"]
    content = file.read_bytes()
    file.unlink()
    other = locked(file.parent)
    other.__enter__()

    def sleep(seconds):
        file.write_bytes(content)
        other.__exit__(None, None, None)

    monkeypatch.setattr("advkd.comparing.waiting.time.sleep", sleep)
    advkd.compare(*WORDS, out=copy)
    assert json.loads((copy / "result.json").read_text())["teacher"] == before
    assert file.read_bytes() == content


def test_a_student_judged_on_other_terms_is_not_compared(copy):
    audit = audit_of(copy, 1)
    about = json.loads((audit / "result.json").read_text())
    (audit / "result.json").write_text(json.dumps({**about, "threat": "linf eps 0.1"}))
    (told,) = advkd.compare(*WORDS, out=copy).failed
    assert told.startswith("rslad, seed 0: ")
    assert "not judged with the same threat as the others" in told
    assert str(audit.resolve()) in told


def test_a_student_judged_on_images_that_are_others_now_is_refused(copy):
    audit = audit_of(copy, 1)
    with np.load(audit / "examples.npz") as arrays:
        content = dict(arrays)
    ledger = {**json.loads(str(content["about"])), "images": "others"}
    np.savez(audit / "examples.npz", **{**content, "about": np.array(json.dumps(ledger))})
    with pytest.raises(advkd.AdvkdError, match="verdicts on test images that have changed since") as told:
        advkd.compare(*WORDS, out=copy)
    assert told.value.problems[0].given == str(audit.resolve())
