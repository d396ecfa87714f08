"""Students of a comparison are those its words ask for, judged alike, or are refused."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import yaml
from click.testing import CliRunner
from compare_parts import SMALL, SUITE
from parts import LOSS

import advkd
from advkd.cli import main
from advkd.networks import weights
from advkd.registry.pyfile import imported
from advkd.training.member_code import code_of


def run(folder: Path, *words: str) -> str:
    """What `advkd compare` prints."""
    given = {word.partition("=")[0].rpartition(".")[2] for word in words}
    small = [word for word in SMALL if word.partition(".")[0] not in given]
    result = CliRunner().invoke(main, ["compare", *small, *words, "seeds=0", f"out={folder}"])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.output


def test_all_students_meet_the_attacks_that_ask_the_teacher(tmp_path, monkeypatch):
    suite = yaml.safe_load(SUITE.read_text()) | {"evaluators": {"fgsm": "fgsm", "transfer": "transfer"}}
    (tmp_path / "asking.yaml").write_text(yaml.safe_dump(suite))
    monkeypatch.setenv("ADVKD_CACHE", str(tmp_path))
    words = ("presets=pgd-at,trades", "teacher.epochs=8", f"suite={tmp_path}/asking.yaml")

    def met() -> list[set[str]]:
        run(tmp_path / "c", *words)
        return [{*json.loads(f.read_text())["attacks"]} for f in tmp_path.glob("cells/*/eval/*/result.json")]

    with monkeypatch.context() as without:
        without.setattr("advkd.comparing.open._teach", lambda plan, cells: None)
        assert met() == [{"fgsm"}] * 2
    assert met() == [{"fgsm", "transfer"}] * 2


def test_another_teacher_under_the_same_name_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setenv("ADVKD_CACHE", str(tmp_path))
    run(tmp_path / "made", "presets=rslad,ard")
    (made,) = tmp_path.glob("teachers/*/student.safetensors")
    teacher, (numbers, about) = tmp_path / "teacher.safetensors", weights.read(made, "teacher")
    weights.write(teacher, numbers, about)
    words = ("presets=rslad,ard", f"teacher={teacher}")
    run(tmp_path / "given" / "c", *words)
    assert "changed" not in run(tmp_path / "given" / "c", *words)
    weights.write(teacher, {key: 1.0001 * value for key, value in numbers.items()}, about)
    assert re.search(
        r"(?s)changed since.*rslad-\w+-0: teacher; ard-\w+-0: teacher", run(tmp_path / "given" / "c", *words)
    )


def test_the_verdict_on_another_teacher_is_not_taken(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("ADVKD_CACHE", str(tmp_path))
    run(tmp_path / "made", "presets=rslad,ard")
    (made,) = tmp_path.glob("teachers/*/student.safetensors")
    teacher, (numbers, about) = tmp_path / "teacher.safetensors", weights.read(made, "teacher")
    words = ("presets=rslad,ard", f"teacher={teacher}")

    def judged() -> dict | None:
        for cell in (tmp_path / "c" / "cells").glob("[ar]*-0"):
            shutil.rmtree(cell)
        run(tmp_path / "c" / "it", *words)
        return json.loads((tmp_path / "c" / "it" / "result.json").read_text())["teacher"]

    weights.write(teacher, numbers, about)
    first = judged()
    assert first is not None
    weights.write(teacher, {key: 1.5 * value for key, value in numbers.items()}, about)
    assert judged() is None
    assert "holds the audit of another teacher" in caplog.text
    (place,) = (tmp_path / "c" / "cells").glob("teacher-*")
    shutil.rmtree(place)
    assert judged() not in (None, first)


def test_another_file_that_the_student_begins_from_is_noticed(tmp_path):
    run(tmp_path / "made", "presets=pgd-at,trades")
    weights_of = {
        name: next(tmp_path.glob(f"cells/{name}-*/student.safetensors")) for name in ("pgd-at", "trades")
    }
    start = tmp_path / "start.safetensors"
    shutil.copy(weights_of["pgd-at"], start)
    words = ("presets=pgd-at,trades", f"student={{use: file, path: {start}}}")
    run(tmp_path / "from" / "c", *words)
    assert "changed since" not in run(tmp_path / "from" / "c", *words)
    shutil.copy(weights_of["trades"], start)
    said = run(tmp_path / "from" / "d", "presets=pgd-at,mart", words[1])
    assert re.search(r"changed since\s+given\s+pgd-at-\w+-0: student", said)


def test_attacks_that_asked_another_teacher_are_told(tmp_path, monkeypatch):
    suite = yaml.safe_load(SUITE.read_text()) | {"evaluators": {"fgsm": "fgsm", "transfer": "transfer"}}
    (tmp_path / "asking.yaml").write_text(yaml.safe_dump(suite))
    monkeypatch.setenv("ADVKD_CACHE", str(tmp_path))
    run(tmp_path / "made", "presets=rslad,ard")
    (made,) = tmp_path.glob("teachers/*/student.safetensors")
    numbers, about = weights.read(made, "teacher")
    teachers = [tmp_path / f"{name}.safetensors" for name in "ab"]
    for i, file in enumerate(teachers):
        weights.write(file, {key: (1 + i / 2) * value for key, value in numbers.items()}, about)
    words = (f"teacher={teachers[0]}", f"suite={tmp_path}/asking.yaml")
    run(tmp_path / "given" / "c", "presets=pgd-at,trades", *words)
    shutil.copy(teachers[1], teachers[0])
    said = run(tmp_path / "given" / "d", "presets=pgd-at,trades,mart", *words)
    assert "mart, seed 0: compare: not judged with the same teacher as the others" in said
    apart = [f"{label}.teacher={file}" for label, file in zip(("pgd-at", "trades"), teachers, strict=True)]
    said = run(tmp_path / "e", "presets=pgd-at,trades", *apart, words[1], "dry=true")
    assert "differs  attacks: transfer use each one's teacher, and teachers differ" in said


def test_a_teacher_that_is_not_there_is_told_by_its_cells(tmp_path):
    (tmp_path / "empty").mkdir()
    said = run(tmp_path / "c", "presets=rslad,ard", f"teacher={tmp_path / 'empty'}")
    assert said.count("failed") > 1
    assert "no such file" in said
    assert "comparison folder: " in said


def test_of_two_files_of_one_name_both_are_watched(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "loss.py").write_text(LOSS.format(1).replace('"scaled"', f'"{name}"'))
        imported(tmp_path / name / "loss.py", "load")
    terms = "method.branches.untargeted.terms"
    more = f"+{terms}.more={{loss: two, target: label, weight: end, scale: 1}}"
    resolved = advkd.resolve("preset=pgd-at", f"{terms}.robust.loss=one", more)
    before = code_of(resolved)
    (tmp_path / "two" / "loss.py").write_text("")
    assert code_of(resolved) != before


def test_other_images_and_an_edited_member_are_noticed(tmp_path):
    code, data = tmp_path / "mine.py", tmp_path / "data.npz"
    code.write_text(LOSS.format(1))
    random = np.random.default_rng(0)
    arrays = {f"x_{part}": random.random((90, 8, 8)).astype("float32") for part in ("train", "test")}
    labels = {f"y_{part}": np.arange(90) % 3 for part in ("train", "test")}
    np.savez(data, **arrays, **labels)
    loss = "method.branches.untargeted.terms.robust.loss=scaled"
    words = (f"load={code}", "presets=pgd-at,mine:pgd-at", f"mine.{loss}", "data=arrays", f"data.path={data}")
    run(tmp_path / "c", *words)
    run(tmp_path / "c", *words)
    code.write_text(LOSS.format(50))
    assert re.search(
        r"(?s)changed since\s+given\s+pgd-at-\w+-0: code of mine.py", run(tmp_path / "c", *words)
    )
    code.write_text(LOSS.format(1))
    np.savez(data, **arrays | {"x_train": arrays["x_test"]}, **labels)
    assert re.search(r"(?s)pgd-at-\w+-0: images; pgd-at-\w+-0: images", run(tmp_path / "c", *words))
    np.savez(data, **arrays | {"x_test": arrays["x_train"]}, **labels)
    said = run(tmp_path / "c", *words)
    assert "holds verdicts on test images that have changed since" in said
    assert said.count("/eval/") == 2
    for verdict in (tmp_path / "cells").glob("*/eval"):
        shutil.rmtree(verdict)
    assert "changed since" not in run(tmp_path / "c", *words)


EVALUATOR = """
from dataclasses import dataclass
from advkd import register
from advkd.evaluators.gradient import PGDEvaluator


@register("evaluators", "mine")
@dataclass(frozen=True, kw_only=True)
class Mine(PGDEvaluator):
    '''PGD of my own.'''

    def __call__(self, net, batch, threat, generator):
        return PGDEvaluator(steps={})(net, batch, threat, generator)
"""


def test_attacks_whose_code_has_changed_are_noticed(tmp_path):
    code, suite = tmp_path / "attack.py", tmp_path / "own.yaml"
    code.write_text(EVALUATOR.format(1))
    suite.write_text(yaml.safe_dump(yaml.safe_load(SUITE.read_text()) | {"evaluators": {"mine": "mine"}}))
    words = (f"load={code}", "presets=pgd-at,trades", f"suite={suite}")
    run(tmp_path / "c", *words)
    assert "changed since" not in run(tmp_path / "c", *words)
    code.write_text(EVALUATOR.format(5))
    said = run(tmp_path / "c", *words)
    assert "holds verdicts by attacks whose code has changed since" in said
    assert said.count("/eval/") == 2


def test_a_student_of_another_engine_is_refused(tmp_path):
    run(tmp_path / "c", "presets=pgd-at,trades", "precision=float32")
    said = run(tmp_path / "d", "presets=pgd-at,trades", "precision=bf16")
    assert said.count("holds a student trained with another engine") >= 2
    assert "bf16 false, asked for bf16" in said
