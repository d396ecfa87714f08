"""The headline says what the verdicts say; command, words and environment are told of the cells."""

import json

from compare_parts import SMALL
from made_outcome import outcome
from rich.console import Console

import advkd
from advkd.comparing import tables


def test_a_failed_cell_does_not_turn_the_headline_against_the_verdict(tmp_path):
    # ard is better wherever both were judged, and has lost its easiest seed
    found = outcome(tmp_path, {"rslad": (400, 405, 900), "ard": (650, 656, None)})
    assert [verdict.verdict for verdict in found.methods] == ["worse"]
    assert found.headline.startswith("On these 1000 images ard has the highest mean robust accuracy, 65.3 %")
    assert "over 2 seeds common to all, indicative (fewer than 5 seeds)" in found.headline
    assert found.headline.endswith("It is better than rslad. 1 of 6 cells failed.")


def test_a_pair_tested_on_more_seeds_than_all_have_is_told_as_such(tmp_path):
    # on the two seeds of iad rslad is an image ahead, on its six ard is
    gone = (10, 10, None, None, None, None)
    robust = {"rslad": (401, 401, 300, 301, 300, 299), "ard": (400, 400, 330, 332, 331, 330), "iad": gone}
    found = outcome(tmp_path, robust)
    assert "rslad has the highest mean robust accuracy, 40.1 %" in found.headline
    own = "Over all seeds of each pair it is"
    assert f"common to all. {own} better than iad (indicative). {own} " in found.headline


def test_every_number_stands_on_the_seeds_that_all_have(tmp_path):
    found = outcome(tmp_path, {"rslad": (400, 405, 900), "ard": (650, 656, None)})
    assert found.values("rslad", "robust") == [0.4, 0.405]
    shown = Console(record=True, width=200)
    tables.concluded(shown, found)
    assert "40.2 ± 0.4" in shown.export_text()


def test_an_entrant_with_too_few_seeds_is_not_ranked_and_takes_none_from_the_others(tmp_path):
    found = outcome(
        tmp_path,
        {
            "rslad": (501, 400, 402, 399, 401, 400),
            "ard": (500, 450, 452, 449, 451, 450),
            "iad": (1,) + 5 * (None,),
        },
    )
    assert found.headline == (
        "On these 1000 images ard has the highest mean robust accuracy, 45.9 % (clean 100.0 %), over 6 "
        "seeds. It is better than rslad. iad was judged on too few of these seeds to be ranked. "
        "5 of 18 cells failed."
    )


def test_a_verdict_against_the_leader_by_one_without_a_rank_is_told(tmp_path):
    # rslad and ard have five seeds, iad and mart two and three of them, and no seed in common
    robust = {
        "rslad": (400, 402, 401, 399, 398),
        "ard": (450, 452, 451, 449, 448),
        "iad": (700, 702, None, None, None),
        "mart": (None, None, 300, 301, 302),
    }
    found = outcome(tmp_path, robust)
    assert set(found.seeds) == {"rslad", "ard"}
    assert "ard has the highest mean robust accuracy, 45.0 %" in found.headline
    own = "Over all seeds of each pair it is"
    says = f"{own} better than rslad and mart (indicative). {own} worse than iad (indicative). iad and mart"
    assert f"over 5 seeds. {says} were judged on too few of" in found.headline


def test_who_failed_in_every_seed_is_named_beside_the_verdict(tmp_path):
    found = outcome(tmp_path, {"rslad": (400, 405), "ard": (650, 656), "iad": (None, None)})
    assert found.headline.endswith("iad was not judged: every seed failed. 2 of 6 cells failed.")


def test_five_seeds_are_not_indicative(tmp_path):
    found = outcome(tmp_path, {"rslad": (401, 402, 403, 404, 405), "ard": (451, 453, 452, 454, 456)})
    assert "over 5 seeds. It is better than rslad." in found.headline


def test_those_of_one_mean_share_the_highest_and_each_has_its_verdicts(tmp_path):
    found = outcome(
        tmp_path,
        {"iad": (200, 205, 202), "rslad": (450, 456, 453), "ard": (456, 450, 453), "mart": (1, 2, 3)},
    )
    assert found.headline == (
        "On these 1000 images rslad and ard share the highest mean robust accuracy, 45.3 % (clean 100.0 % "
        "and 100.0 %), over 3 seeds, indicative (fewer than 5 seeds). Method rslad is better than iad and "
        "mart. Method rslad is "
        "not distinguishable from ard. Method ard is better than iad and mart."
    )
    shown = Console(record=True, width=400)
    tables.concluded(shown, found)
    assert "  rslad and ard are not distinguishable: " in shown.export_text()
    assert "1 further pair is" not in shown.export_text()


def test_one_seed_tests_no_method(tmp_path):
    found = outcome(tmp_path, {"rslad": (400,), "ard": (450,)})
    assert found.headline == (
        "On these 1000 images ard has the highest mean robust accuracy, 45.0 % (clean 100.0 %), over 1 seed, "
        "and one seed allows no test."
    )
    assert [verdict.verdict for verdict in found.students] == ["worse"]


def test_one_seed_that_all_have_does_not_deny_what_pairs_are_tested_on(tmp_path):
    found = outcome(tmp_path, {"rslad": (500, 505, None), "ard": (None, 400, 402), "iad": (450, 455, 452)})
    assert "over 1 seed common to all. Over all seeds of each pair it is" in found.headline
    assert found.headline.endswith("(indicative). 2 of 9 cells failed.")


def test_a_comparison_counts_its_operations_and_may_lose_its_first_cell(tmp_path, monkeypatch):
    from advkd import api

    train = api.train

    def fails_first(run, **rest):
        if run.preset == "pgd-at":
            raise ZeroDivisionError("planted")
        return train(run, **rest)

    monkeypatch.setattr(api, "train", fails_first)
    words = ("presets=pgd-at,trades,mart", "seeds=0", *SMALL, "epochs=1", "jobs=1")
    found = advkd.compare(*words, out=tmp_path / "it")
    content = json.loads((tmp_path / "it" / "result.json").read_text())
    assert [row["state"] for row in content["rows"]] == ["failed", "done", "done"]
    assert content["tflop"] == found.tflop
    assert content["tflop"].keys() == {"trades", "mart"}
    assert min(content["tflop"].values()) > 0
    assert content["environment"]["device"] == "cpu"
    assert "planted" in (tmp_path / "it" / "report.html").read_text()
    assert "TFLOP" in (tmp_path / "it" / "report.md").read_text()
    one = advkd.compare(
        "presets=pgd-at,trades", "seeds=0", *SMALL, "epochs=1", "jobs=1", out=tmp_path / "one"
    )
    assert one.judged.keys() == {"trades"}
    assert (tmp_path / "one" / "report.html").exists()
    text = (tmp_path / "one" / "report.md").read_text()
    assert "less than every other" not in text


def test_none_of_two_teachers_is_judged(tmp_path):
    words = ("preset=rslad", "vary=teacher.epochs:1,2", "seeds=0", *SMALL, "epochs=1", "jobs=1")
    found = advkd.compare(*words, out=tmp_path / "it")
    assert (found.teacher, found.failed) == (None, [])
    assert not list((tmp_path / "cells").glob("teacher-*"))
    assert "different teachers" in (tmp_path / "it" / "report.md").read_text()
