"""What a comparison is asked for, and what is refused before anything starts."""

from pathlib import Path

import pytest
from compare_parts import SMALL

from advkd import AdvkdError
from advkd.comparing.plan import planned, teachers
from advkd.comparing.request import parsed

UNKNOWN = Path(__file__).parent / "unknown.yaml"
BUDGET = Path(__file__).parent / "budget.yaml"
WEIGHT = "method.branches.untargeted.terms.path.weight"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "presets: which ones?"),
        (("presets=rslad",), "presets: a comparison needs two"),
        (("presets=rslad,rslda",), "nearest  rslad"),
        (("presets=rslad,rslad",), "presets: rslad is there twice"),
        (("presets=rslad,ard,:iad",), "presets: a label and its preset: one is missing\n  given    :iad"),
        (("presets=rslad,ard,iad:",), "presets: a label and its preset: one is missing\n  given    iad:"),
        (("presets=rslad,ard", "presets=iad,kd"), "presets: is given twice\n  given    rslad,ard and iad,kd"),
        (("presets=rslad,same:rslad",), "do       leave one out, or give it words of its own"),
        (("presets=teacher:trades,rslad",), "presets: a label is an option of every run"),
        (("presets=v1:rslad,v1.5:rslad",), "do       choose another label: v1-5:PRESET"),
        (("presets=rslad,ard", "vary=epochs:1,2"), "presets: goes with neither preset nor vary"),
        (("presets=rslad,ard", "preset=mart"), "presets: goes with neither preset nor vary"),
        (("presets=rslad,ard", "rslad.threat.eps=0.1"), "threat.eps: 0.1 for rslad; 0.2 for ard"),
        (("presets=rslad,ard", "ard.split.test=40"), "split.test: null for rslad; 40 for ard"),
        (("presets=rslad,ard", "ard.data.test=x"), "ard: data.test: unknown option"),
        (("preset=rslad", "vary=threat.eps:0.1,0.2"), "do       set these for all"),
        (("presets=rslad,ard", f"suite={UNKNOWN}"), "evaluators.x: unknown evaluator"),
        (("presets=rslad,ard", f"suite={BUDGET}"), "suite: has a budget, which ends an audit before"),
        (("presets=rslad,ard", "seeds=0,1,0"), "seeds: 0 is there twice"),
        (("presets=rslad,ard", "seeds=one"), "seeds: is not a list of integers"),
        (("presets=rslad,ard", "seed=1"), "seed: a comparison has several"),
        (("presets=rslad,ard", "ard.seed=7"), "seed: a comparison has several\n  given    ard.seed=7"),
        (("presets=rslad,ard", "ard.preset=mart"), "preset: an entrant is one preset"),
        (
            ("presets=rslad,ard", "evaluation.pgd-20.steps=2"),
            "do       write suite=standard or suite=FILE.yaml",
        ),
        (
            ("presets=rslad,ard", "ard.evaluation.pgd-20.steps=2"),
            "evaluation: students are judged by a suite",
        ),
        (("presets=rslad,ard", "+evaluation.x={use: fgsm}"), "evaluation: students are judged by a suite"),
        (("presets=rslad,ard", "drop=evaluation.fgsm"), "evaluation: students are judged by a suite"),
        (("presets=rslad,ard", "ard.~evaluation.fgsm"), "evaluation: students are judged by a suite"),
        (("preset=rslad", "vary=seed:1,2"), "do       write seeds=0,1,2"),
        (("preset=rslad", "vary=preset:ard,mart"), "do       write presets=path-dual,rslad"),
        (("preset=rslad", "vary=epochs+evaluation.pgd-20.steps:1,2"), "evaluation: students are judged"),
        (("preset=pgd-at", "vary=epochs:1,2", "equal=compute"), "given    epochs=1 1, epochs=2 2"),
        (("presets=rslad,ard", "ard.epochs=7", "equal=compute"), "do       give all the same epochs=N"),
        (("presets=rslad,ard", "equal=time"), "names    compute, epochs"),
        (("presets=rslad,ard", "jobs=0"), "jobs: must be a whole number, at least 1"),
        (("presets=rslad,ard", "jobs=0"), "do       write jobs=auto or jobs=2"),
        (("presets=rslad,ard", "jobs=auto", "jobs=0"), "jobs: must be a whole number, at least 1"),
        (("presets=rslad,ard", "limit=x"), "do       write limit=1000"),
        (("presets=rslad,ard", "suite=standart"), "nearest  standard"),
        (("presets=rslad,ard", "ard.epoch=3"), "ard: epoch: unknown option"),
        (
            ("presets=rslad,ard", "rlsad.epochs=3"),
            "unknown option or entrant\n  given    rlsad\n  nearest  rslad",
        ),
        (("preset=rslad", "vary=+modifiers.awp:{},{}"), "vary: is not KEY:VALUE,VALUE"),
        (("vary=epochs:1,2",), "vary: of which preset?"),
        (("preset=rslad", "vary=epochs"), "vary: is not KEY:VALUE,VALUE"),
        (("preset=rslad", "vary=epochs:1,1"), "do       write every value once"),
        (("preset=rslad", "vary=epochs:1"), "vary: a comparison needs two"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_starts(words, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AdvkdError) as refused:
        planned(parsed(words))
    assert says in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_every_problem_of_every_entrant_is_told_at_once():
    with pytest.raises(AdvkdError) as refused:
        planned(parsed(["presets=rslda,path-dule,ard", "ard.epoch=3"]))
    assert {p.place for p in refused.value.problems} == {
        "rslda: preset",
        "path-dule: preset",
        "ard: epoch",
    }


def test_words_reach_all_or_one():
    plan = planned(parsed(["presets=rslad,long:rslad,ard", "long.epochs=7", *SMALL, "seeds=3,4"]))
    assert {label: run.epochs for label, run in plan.runs.items()} == {"rslad": 2, "long": 7, "ard": 2}
    assert [cell.run.seed for cell in plan.cells] == [3, 3, 3, 4, 4, 4]
    assert plan.differences == ["epochs: 2 for rslad, ard; 7 for long"]


def test_a_grid_of_values():
    words = [f"vary={WEIGHT}:impact,{{use: boundary, kappa: 0.5}}", "vary=epochs:1,2"]
    plan = planned(parsed(["preset=path-dual", *words]))
    assert plan.labels == [
        "weight=impact epochs=1",
        "weight=impact epochs=2",
        "weight=boundary(kappa=0.5) epochs=1",
        "weight=boundary(kappa=0.5) epochs=2",
    ]
    assert plan.runs["weight=boundary(kappa=0.5) epochs=2"].epochs == 2
    assert plan.request.on == "validation"


def test_keys_that_move_together():
    both = f"{WEIGHT}+method.branches.targeted.terms.path.weight"
    plan = planned(parsed(["preset=path-dual", f"vary={both}:impact,uniform"]))
    branches = plan.runs["weight=uniform"].resolved["method"]["branches"]
    assert {name: branch["terms"]["path"]["weight"]["use"] for name, branch in branches.items()} == {
        "untargeted": "uniform",
        "targeted": "uniform",
    }


@pytest.mark.parametrize(
    ("keys", "shown"),
    [
        (["teacher.epochs"], ["teacher.epochs"]),
        (["teacher.epochs", "epochs"], ["teacher.epochs", "epochs"]),
        (["optimizer.lr", "method.total"], ["lr", "total"]),
        (["student.width", "teacher.model.width"], ["student.width", "model.width"]),
        ([f"x.{WEIGHT}+a.b", "b"], ["weight", "b"]),
        (
            [WEIGHT, "method.branches.targeted.terms.path.weight"],
            ["untargeted.terms.path.weight", "targeted.terms.path.weight"],
        ),
    ],
)
def test_a_value_is_labelled_by_what_tells_its_key_apart(keys, shown):
    request = parsed(["preset=path-dual", *(f"vary={key}:1,2" for key in keys)])
    first = request.entrants[0]
    assert first.label == " ".join(f"{key}=1" for key in shown)
    assert first.words[1:] == tuple(f"{one}=1" for key in keys for one in key.split("+"))


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["presets=rslad,kd,pgd-at"], 1),
        (["presets=trades,pgd-at"], 0),
        (["preset=rslad", "vary=teacher.epochs:1,2"], 2),
        (["preset=rslad", "vary=teacher:a.pt,b.pt"], 2),
        (["preset=pgd-at", "vary=teacher.epochs:1,2"], 0),
    ],
)
def test_a_teacher_is_judged_where_all_learn_from_it(words, count):
    plan = planned(parsed([*words, "allow=differences"]))
    assert teachers(plan.learning) == count


def test_values_that_come_to_one_run_are_refused_where_they_stand():
    with pytest.raises(AdvkdError, match=r"(?s)^vary: the same run under two labels.*leave one out$"):
        planned(parsed(["preset=rslad", "vary=deterministic:true,false"]))


def test_a_preset_of_a_file_is_called_after_it(tmp_path):
    preset = tmp_path / "mine.yaml"
    preset.write_text("extends: rslad\n")
    plan = planned(parsed([f"presets=ard,{preset}", "mine.epochs=7"]))
    assert {label: run.epochs for label, run in plan.runs.items()} == {"ard": 30, "mine": 7}


def test_a_word_is_no_entrants_because_its_value_looks_like_a_label():
    request = parsed(["preset=rslad", "vary=method.total:1,2", "vary=epochs:3", "total=1 epochs=3.5"])
    assert request.shared == ("total=1 epochs=3.5",)


def test_the_last_of_repeated_words_counts():
    assert parsed(["presets=rslad,ard", "jobs=2", "jobs=auto"]).jobs is None
    assert parsed(["presets=rslad,ard", "jobs=auto", "jobs=2"]).jobs == 2


def test_entrants_stand_in_the_order_they_were_typed():
    plan = planned(parsed(["presets=rslad,ard,mart", "seeds=0,1"]))
    assert list(plan.runs) == plan.labels == ["rslad", "ard", "mart"]
    assert {run.seed for run in plan.runs.values()} == {0}
