"""Entrants are judged alike: who cannot be is refused before anything starts, what was not has failed."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import pytest
import yaml
from compare_parts import SMALL, SUITE, WORDS
from made_outcome import judged, outcome

import advkd
from advkd import AdvkdError
from advkd.comparing import cell as cells
from advkd.comparing import tables
from advkd.comparing.cell import Made
from advkd.comparing.outcome import concluded
from advkd.comparing.plan import planned
from advkd.comparing.request import parsed
from advkd.reporting import words
from advkd.statistics.family import on_equal_seeds


@pytest.fixture
def asking(tmp_path):
    """A suite that asks the teacher."""
    suite = yaml.safe_load(SUITE.read_text()) | {"evaluators": {"fgsm": "fgsm", "transfer": "transfer"}}
    (tmp_path / "asking.yaml").write_text(yaml.safe_dump(suite))
    return f"suite={tmp_path}/asking.yaml"


def test_an_entrant_without_the_teacher_that_a_suite_asks_is_refused(asking):
    words = [*SMALL, "presets=rslad,pgd-at", "allow=differences"]
    planned(parsed([*words, asking]))
    planned(parsed([*words, "pgd-at.teacher=null"]))
    with pytest.raises(AdvkdError, match=r"(?s)no teacher, which suite .* needs for transfer.*pgd-at"):
        planned(parsed([*words, asking, "pgd-at.teacher=null"]))


def test_a_student_judged_by_other_attacks_has_failed_and_the_others_are_compared(tmp_path):
    found = outcome(tmp_path, {"rslad": (400, 401), "ard": (450, 451)})
    other = judged(999)
    other = replace(other, terms={**other.terms, "attacks": "fewer"})
    made = [*found.made[:-1], Made(found.made[-1].folder, tmp_path / "its audit", other)]
    again = concluded(found.plan, found.folder, made, None, {})
    assert [row["state"] for row in again.about["rows"]] == ["done", "done", "done", "failed"]
    (told,) = again.failed
    for part in (
        "ard, seed 1",
        "not judged with the same attacks",
        "fewer, the others y",
        f"{tmp_path}/its audit",
    ):
        assert part in told
    assert again.headline.startswith("On these 1000 images ard has the highest mean robust accuracy, 45.0 %")


def test_who_share_no_seed_are_not_ranked(tmp_path):
    found = outcome(tmp_path, {"rslad": (400, None, 900), "ard": (None, 450, None)})
    assert found.headline.startswith("No seed was judged for every entrant, so none can be ranked first.")


@pytest.mark.parametrize(
    ("seeds", "equal"),
    [
        ({"a": "012", "b": "012", "c": "3456"}, {"a": "012", "b": "012"}),
        ({"a": "01", "b": "01", "c": "23", "d": "23"}, {"a": "01", "b": "01", "c": "23", "d": "23"}),
        ({"a": "01", "b": "12", "c": "012"}, {"a": "1", "b": "1", "c": "1"}),
        ({"a": "01234", "b": "01", "c": "01234"}, {"a": "01", "b": "01", "c": "01"}),
        ({"a": "01234", "b": "01", "c": "01234", "d": "234"}, {"a": "01234", "c": "01234"}),
        ({"a": "0", "b": "0"}, {"a": "0", "b": "0"}),
        ({}, {}),
    ],
)
def test_numbers_side_by_side_are_of_seeds_that_most_share(seeds, equal):
    found = on_equal_seeds({name: [*map(int, own)] for name, own in seeds.items()})
    assert {name: "".join(map(str, own)) for name, own in found.items()} == equal


@pytest.mark.parametrize(
    ("epochs", "told"), [({"a": 2, "b": 2}, "epochs"), ({"a": 2, "b": 7}, None), (2, "epochs")]
)
def test_equal_epochs_are_told_where_they_are_equal(epochs, told):
    assert words.equal({"equal": "epochs", "epochs": epochs}) == told
    assert words.equal({"equal": "compute", "epochs": epochs}) == "compute"


def test_a_label_may_hold_what_the_terminal_takes_for_markup(tmp_path, capsys):
    plan = planned(parsed(["presets=old[/v1]:rslad,v2[red]:ard", "seeds=0", *SMALL]))
    made = [Made(tmp_path / "cells" / cell.name, None, judged(400)) for cell in plan.cells]
    for one in made:
        one.folder.mkdir(parents=True)
        (one.folder / "result.json").write_text("{}")
    found = concluded(plan, tmp_path / "it", made, None, {})
    tables.concluded(tables.Console(width=200), found)
    said = capsys.readouterr().out
    assert "│ old[/v1]" in said
    assert "│ v2[red]" in said


def test_a_cell_that_another_comparison_ends_is_taken(tmp_path, monkeypatch):
    words = ["presets=pgd-at,trades", "seeds=0", *SMALL]
    plan = planned(parsed(words))
    advkd.compare(*words, out=tmp_path / "it")
    one = plan.cells[0]
    folder = tmp_path / "cells" / one.name
    judge = cells.Judge(suite=plan.request.suite, part="test")
    result = (folder / "result.json").read_bytes()
    (folder / "result.json").unlink()

    def ended_meanwhile(run, out):
        (folder / "result.json").write_bytes(result)
        raise advkd.errors.error("out", "the folder already holds a run")

    monkeypatch.setattr(cells.api, "train", ended_meanwhile)
    for checkpoint in folder.glob("checkpoint.*"):
        checkpoint.unlink()
    assert cells.made(one, judge, folder).error == ""


def test_a_teacher_that_cannot_be_judged_costs_its_row_alone(tmp_path, monkeypatch, caplog):
    def fails(*_):
        raise RuntimeError("planted")

    monkeypatch.setattr("advkd.comparing.open.teacher_judged", fails)
    with caplog.at_level(logging.WARNING, "advkd"):
        advkd.compare(*WORDS[:1], "seeds=0", *SMALL, out=tmp_path / "it")
    assert "the teacher is not judged: planted" in caplog.text
    found = json.loads((tmp_path / "it" / "result.json").read_text())
    assert (found["teacher"], [row["state"] for row in found["rows"]]) == (None, ["done", "done"])
