"""What is told while a run goes on."""

from __future__ import annotations

import dataclasses
import io
import json

import pytest
from rich.console import Console as Terminal

import advkd
from advkd.errors import Interrupted
from advkd.reporters.console import Console
from advkd.reporters.jsonl import Jsonl, keep_before
from advkd.types import Record


def trained(tiny, folder, terminal):
    progress = Console.on(terminal)
    advkd.train(advkd.resolve(*tiny, "preset=pgd-at"), out=folder, reporters=[progress])
    progress.close()
    return terminal.file.getvalue()


def test_plain_lines_without_a_terminal(tiny, tmp_path):
    text = trained(tiny, tmp_path / "run", Terminal(file=io.StringIO(), width=200))
    lines = text.splitlines()
    assert lines[0] == "student: 3 epochs of 8 steps"
    assert len(lines) == 4
    for epoch, line in enumerate(lines[1:], start=1):
        assert f"epoch   {epoch}/3" in line
        for word in ("loss", "untargeted.robust", "clean", "robust", "images/s", "left"):
            assert word in line
    assert "\x1b" not in text


def test_a_live_line_in_a_terminal(tiny, tmp_path):
    terminal = Terminal(file=io.StringIO(), width=200, force_terminal=True)
    text = trained(tiny, tmp_path / "run", terminal)
    assert "step 8/8" in text
    assert "epoch 3/3" in text


def test_a_script_asks_for_it_by_its_name(tiny, tmp_path, capsys):
    run = advkd.resolve(*tiny, "preset=standard", "+reporters.console={}")
    assert run.hash == advkd.resolve(*tiny, "preset=standard").hash
    advkd.train(run, out=tmp_path / "run")
    assert "student: 3 epochs of 8 steps" in capsys.readouterr().out


def test_jsonl_keeps_epochs_not_steps(tmp_path):
    path = tmp_path / "metrics.jsonl"
    report = Jsonl(path=str(path))
    report(Record(name="step.loss", value=1.0, epoch=0, step=0))
    for epoch in range(3):
        report(Record(name="train.loss", value=1.0, epoch=epoch, n=5, interval=(0.0, 1.0)))
    with path.open("a") as file:
        file.write('{"name": "train.lo')
    keep_before(path, 2)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [0, 1]
    assert lines[0] == {
        "name": "train.loss",
        "value": 1.0,
        "n": 5,
        "interval": [0.0, 1.0],
        "epoch": 0,
        "stage": "student",
    }


def test_reporters_of_a_run_are_asked_too(tiny, tmp_path):
    word = f"+reporters.mine={{use: jsonl, path: {tmp_path / 'mine.jsonl'}}}"
    run = advkd.resolve(*tiny, "preset=standard", word)
    assert run.hash == advkd.resolve(*tiny, "preset=standard").hash
    advkd.train(run, out=tmp_path / "run")
    assert (tmp_path / "mine.jsonl").read_text() == (tmp_path / "run" / "metrics.jsonl").read_text()


def test_reporters_of_a_run_are_closed_however_it_ends(tiny, tmp_path):
    told = []

    @advkd.register("reporters", "closing")
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Closing:
        """One line about it."""

        def __call__(self, record):
            told.append(record.name)
            if record.name == "epoch.seconds":
                raise KeyboardInterrupt

        def close(self):
            told.append("closed")

    run = advkd.resolve(*tiny, "preset=standard", "+reporters.closing={}")
    with pytest.raises(Interrupted):
        advkd.train(run, out=tmp_path / "run")
    assert told[-2:] == ["epoch.seconds", "closed"]


def test_a_reporter_that_fails_to_close_keeps_no_other_open(tiny, tmp_path):
    closed = []

    @advkd.register("reporters", "closing-badly")
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class ClosingBadly:
        """One line about it."""

        name: str

        def __call__(self, record):
            pass

        def close(self):
            closed.append(self.name)
            raise RuntimeError(self.name)

    both = [f"+reporters.{name}={{use: closing-badly, name: {name}}}" for name in ("one", "two")]
    with pytest.raises(RuntimeError):
        advkd.train(advkd.resolve(*tiny, "preset=standard", *both), out=tmp_path / "run")
    assert sorted(closed) == ["one", "two"]


def test_going_on_drops_lines_of_metrics_that_are_none(tmp_path):
    file, good = tmp_path / "metrics.jsonl", b'{"stage": "student", "epoch": 1}\n'
    file.write_bytes(good + b"null\n[]\n\xff\n" + b'{"stage": "student", "epoch": 2}\n')
    keep_before(file, 2)
    assert file.read_bytes() == good


def test_the_rate_that_is_told_is_that_of_the_epoch(tiny, tmp_path):
    told = []

    def listen(record):
        if record.name == "train.lr":
            told.append(record.value)

    words = [word for word in tiny if not word.startswith("epochs")]
    steps = "schedule={name: steps, milestones: [0.5]}"
    run = advkd.resolve(*words, "preset=standard", "epochs=4", steps, "optimizer.lr=0.1")
    advkd.train(run, out=tmp_path / "run", reporters=[listen])
    assert told == pytest.approx([0.1, 0.1, 0.01, 0.01])


def test_an_epoch_in_which_no_term_counts_says_so(tiny, tmp_path):
    words = [word for word in tiny if not word.startswith("epochs")]
    late = "method.branches.untargeted.terms.robust.since=1/2"
    with pytest.raises(advkd.AdvkdError, match="epoch 1: no term counts yet, or there is none"):
        advkd.train(advkd.resolve(*words, "preset=pgd-at", "epochs=2", late), out=tmp_path / "run")
