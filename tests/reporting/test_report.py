"""Reports say what the folders hold, and refuse what may not be compared."""

from __future__ import annotations

import csv
import json
import re
import shutil
import statistics

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from made_comparison import PRESETS, SEEDS
from torch import nn

from advkd.cli import main
from advkd.errors import AdvkdError
from advkd.registry import find
from advkd.registry.sources import source_of
from advkd.reporting import report
from advkd.reporting.gather import gathered
from advkd.reporting.material import CLEAN
from advkd.result import wilson


@pytest.fixture
def cells(compared):
    return sorted(cell for cell in (compared / "cells").iterdir())


@pytest.fixture
def copied(cells, tmp_path):
    """Two runs of one method, to be spoilt."""
    return [shutil.copytree(cell, tmp_path / cell.name) for cell in cells[:2]]


def edited(file, change):
    content = (yaml.safe_load if file.suffix == ".yaml" else json.loads)(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def survivors(audit):
    with np.load(audit / "examples.npz") as file:
        about = json.loads(str(file["about"]))
        names = [name for who, name, _ in about["entries"] if who == "student"]
        broken = [file[f"student.{n}.tried"] & ~file[f"student.{n}"] for n in names if n != CLEAN]
        return file["student.clean"] & ~np.any(broken, axis=0)


def test_names_are_explained_by_their_members(compared, tmp_path):
    page, text = report(compared, tmp_path).read_text(), (tmp_path / "report.md").read_text()
    for slot, name in (
        ("presets", "rslad"),
        ("data", "digits"),
        ("evaluators", "pgd"),
        ("evaluators", "noise"),
    ):
        headline = source_of(find(slot, name)).headline
        assert re.sub("`(.*?)`", "<code>\\1</code>", headline) in page
        assert headline in text
    assert "**pgd-20** (pgd, loss ce" in text
    assert "**linf eps 0.2**: An attack may change every pixel of an image, each by at most eps" in text
    assert text.index("**noise**") < text.index("**fgsm**") < text.index("**pgd-20**")


def test_a_name_that_is_not_installed_any_more_is_not_explained(copied, tmp_path):
    edited(copied[0] / "run.yaml", lambda config: config.update(preset="gone"))
    report(copied[0], tmp_path / "out")
    text = (tmp_path / "out" / "report.md").read_text()
    assert "### Methods" not in text
    assert "### Attacks" in text


def test_a_comparison_in_three_files(compared, tmp_path):
    page = report(compared, tmp_path).read_text()
    content = json.loads((compared / "result.json").read_text())
    text = (tmp_path / "report.md").read_text()
    lines = csv.DictReader((tmp_path / "table.csv").read_text().splitlines())
    assert content["headline"] in re.search(r"<h1>(.*?)</h1>", page, re.DOTALL)[1]
    assert text.index(content["headline"]) < 60
    for said in (*content["methods"], *content["students"]):
        assert said["says"] in page
        assert said["says"] in text
    assert content["differences"][0] in page
    assert content["command"] in page
    rows = {(line["name"], line["seed"]): line for line in lines}
    assert rows["broken", "0"]["state"] == "failed"
    assert content["rows"][-1]["error"] in page
    for row in content["rows"][:-1]:
        line, stands = rows[row["name"], str(row["seed"])], survivors(compared / row["audit"])
        assert float(line["robust"]) == pytest.approx(stands.mean())
        ends = [float(line[f"robust_{end}"]) for end in ("low", "high")]
        assert ends == pytest.approx(wilson(int(stands.sum()), len(stands)))
        cost = json.loads((compared / row["folder"] / "result.json").read_text())["cost"]
        assert float(line["train_seconds"]) == cost["train_seconds"]
        with np.load(compared / row["audit"] / "examples.npz") as bits:
            assert int(line["tried.pgd-20"]) == bits["student.pgd-20.tried"].sum()


def test_seeds_become_mean_and_deviation(compared):
    groups = gathered([compared]).groups
    assert [group.name for group in groups] == list(PRESETS)
    for group in groups:
        values = [row.judged.survivors.mean() for row in group.rows]
        assert len(values) == len(SEEDS)
        assert group.mean("robust") == pytest.approx(statistics.fmean(values))
        assert group.sd("robust") == pytest.approx(statistics.stdev(values))


def test_names_are_text_not_markup(compared, tmp_path):
    folder = shutil.copytree(compared, tmp_path / "copy")

    def change(content):
        content["headline"] = "<script>alert(1)</script>"
        for row in content["rows"][:2]:
            row["name"] = "<b>a</b>"

    edited(folder / "result.json", change)
    page = report(folder, tmp_path).read_text()
    assert "<script>alert" not in page
    assert "<b>a</b>" not in page
    assert "&lt;b&gt;a&lt;/b&gt;" in page


def test_everything_optional_may_be_missing(compared, tmp_path):
    folder = shutil.copytree(compared, tmp_path / "copy")
    needed = ("rows", "headline")
    edited(folder / "result.json", lambda c: [c.pop(key) for key in list(c) if key not in needed])
    page = report(folder).read_text()
    assert page.index("<h1>") < page.index("Numbers")
    assert "How sure is that?" not in page


def test_runs_side_by_side_without_a_test(cells, tmp_path):
    page = report(cells, tmp_path).read_text()
    best = max(gathered(cells).groups, key=lambda group: group.mean("robust"))
    headline = re.search(r"<h1>(.*?)</header>", page, re.DOTALL)[1]
    assert headline.startswith(f"{best.name} has the highest robust accuracy")
    assert "is not tested here" in headline
    assert "audit, suite quick" in page


def test_an_audit_is_shown_in_place_of_the_runs_own_evaluation(copied):
    alone, both = gathered(copied[:1]), gathered(copied)
    assert alone.judged.audit is not None
    # one of them has no audit: what both have is shown
    shutil.rmtree(copied[1] / "eval")
    assert both.judged.audit is not None
    shared = gathered(copied)
    assert {row.judged.shown for row in shared.rows} == {"the run's own evaluation"}
    own = json.loads((copied[0] / "result.json").read_text())
    assert shared.rows[0].judged.scores.robust == own["robust"]


def test_by_class_from_a_run_is_what_its_bits_say(copied):
    shutil.rmtree(copied[0] / "eval")
    judged = gathered(copied[:1]).judged
    with np.load(copied[0] / "examples.npz") as file:
        y = file["y"]
    for label, share in enumerate(judged.by_class):
        assert share == judged.survivors[y == label].mean()


@pytest.mark.parametrize(
    ("file", "change", "says"),
    [
        (
            "run.yaml",
            lambda c: c["threat"].update(eps=0.1),
            ["different threats", "linf eps 0.1", "linf eps 0.2"],
        ),
        ("result.json", lambda c: c.update(images="other"), ["different images", "other"]),
        ("run.yaml", lambda c: c["evaluation"].pop("fgsm"), ["different attacks", "fgsm"]),
    ],
)
def test_what_differs_is_refused(copied, file, change, says):
    for folder in copied:
        shutil.rmtree(folder / "eval")
    edited(copied[1] / file, change)
    with pytest.raises(AdvkdError) as caught:
        report(copied)
    assert all(word in str(caught.value) for word in (*says, copied[0].name, copied[1].name))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda folder: (folder / "result.json").unlink(), "it has not ended"),
        (lambda folder: (folder / "result.json").write_text("{"), "cannot be read"),
        (lambda folder: (folder / "examples.npz").write_bytes(b"PK"), "missing or cut short"),
        (
            lambda folder: (folder / "run.yaml").unlink(),
            "is not the folder of a run, an audit or a comparison",
        ),
    ],
)
def test_a_spoilt_folder_is_named(copied, spoil, says):
    spoil(copied[0])
    with pytest.raises(AdvkdError, match=says) as caught:
        report(copied[0])
    assert copied[0].name in str(caught.value)


def test_a_line_of_metrics_that_was_being_written_is_left_out(copied, tmp_path):
    whole = gathered(copied[:1]).rows[0].history
    with (copied[0] / "metrics.jsonl").open("a") as file:
        file.write('{"name": "validation.cl')
    assert len(gathered(copied[:1]).rows[0].history.clean) == len(whole.clean)


def test_an_older_run_has_fewer_pictures_and_says_so(copied, tmp_path):
    (copied[0] / "paths.npz").unlink()
    page = report(copied[0], tmp_path).read_text()
    assert 'id="paths"' not in page
    assert "Adversarial paths: no paths.npz beside the student; advkd run leaves one." in page


def test_limits_are_named(copied, tmp_path):
    assert "Limited to 60 test images (split.test)" in report(copied[0], tmp_path).read_text()


def test_the_same_folders_give_the_same_page(compared, tmp_path):
    one, two = (report(compared, tmp_path / name).read_bytes() for name in ("one", "two"))
    assert one == two


def test_the_command_writes_where_it_is_told_and_runs_no_network(compared, cells, tmp_path, monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("a network was run")

    monkeypatch.setattr(nn.Module, "__call__", never)
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    done = runner.invoke(main, ["report", str(compared), f"out={tmp_path / 'new'}"], catch_exceptions=False)
    assert done.exit_code == 0
    assert {file.name for file in (tmp_path / "new").iterdir()} == {"report.html", "report.md", "table.csv"}
    assert runner.invoke(main, ["report", *map(str, cells)]).exit_code == 0
    assert (tmp_path / "report" / "report.html").exists()
    shutil.copytree(cells[0], tmp_path / "lr=0.1")
    assert runner.invoke(main, ["report", "lr=0.1"]).exit_code == 0
    for words in ([], ["outt=x"], [str(tmp_path)]):
        assert runner.invoke(main, ["report", *words]).exit_code == 2
