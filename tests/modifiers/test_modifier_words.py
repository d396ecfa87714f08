"""Modifiers in the words of a run: names, hashes, what is refused."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping

import pytest

import advkd
from advkd import AdvkdError
from advkd.config.resolve import from_raw, teacher_run
from advkd.config.run import UNHASHED
from advkd.protocols import Loss
from advkd.registry import entries
from advkd.registry.contracts import check


def test_a_key_without_use_names_the_member():
    run = advkd.resolve(
        "preset=rslad", "+modifiers.awp={}", "modifiers.awp.gamma=1/100", "+modifiers.mean=swa"
    )
    assert run.resolved["modifiers"] == {
        "awp": {"use": "awp", "gamma": 0.01, "since": 0.05},
        "mean": {"use": "swa", "since": 0.75, "statistics": "averaged"},
    }
    assert from_raw(dict(run.resolved)).hash == run.hash
    assert set(advkd.resolve("preset=rslad", "+evaluation.noise={}").evaluation) >= {"noise"}
    changed = advkd.resolve("preset=rslad", "+modifiers.awp={}", "modifiers.awp=ema")
    assert changed.resolved["modifiers"] == {"awp": {"use": "ema", "decay": 0.999}}


def test_entries_inside_a_member_named_by_its_key_are_known(monkeypatch):

    @advkd.register("modifiers", "mix")
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Mix:
        """Has entries."""

        losses: Mapping[str, Loss]

        def after_step(self, student, step):
            """Nothing."""

    added = ("preset=rslad", "+modifiers.mix={losses: {hard: ce}}")
    assert list(advkd.resolve(*added, "modifiers.mix.losses.hard=kl").modifiers["mix"].losses) == ["hard"]
    with pytest.raises(AdvkdError, match=r"modifiers.mix.losses.hrad: no such entry"):
        advkd.resolve(*added, "modifiers.mix.losses.hrad=kl")


def test_the_hash_of_a_run_without_modifiers_is_that_of_before_there_were_any():
    run = advkd.resolve("preset=rslad")
    old = {key: value for key, value in run.resolved.items() if key != "modifiers"}
    content = {key: value for key, value in old.items() if key not in UNHASHED}
    wanted = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]
    assert run.hash == from_raw(old).hash == wanted
    assert advkd.resolve("preset=rslad", "+modifiers.awp={}", "drop=modifiers.awp").hash == wanted
    others = [advkd.resolve("preset=rslad", f"+modifiers.{name}={{}}").hash for name in entries("modifiers")]
    others.append(advkd.resolve("preset=rslad", "+modifiers.awp={gamma: 0.01}").hash)
    assert len({wanted, *others}) == len(others) + 1


def test_a_trained_teacher_does_not_inherit_them():
    run = advkd.resolve("preset=rslad", "+modifiers.awp={}", "+modifiers.ema={}")
    assert teacher_run(run).modifiers == {}
    assert teacher_run(run).hash == teacher_run(advkd.resolve("preset=rslad")).hash


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ("+modifiers.ema={}", "+modifiers.swa={}"),
            r"(?s)modifiers: only one.*ema, swa.*drop=modifiers.swa",
        ),
        (("+modifiers.apw={}",), r"(?s)modifiers.apw: unknown modifier.*nearest  awp"),
        (("modifiers.awp.gamma=1",), r"(?s)modifiers.awp: no such entry.*\+modifiers.awp="),
        (("+modifiers.awp={}", "modifiers.awp.gama=1"), r"(?s)modifiers.awp.gama: unknown option.*gamma"),
        (("+modifiers.awp={gamma: 0}",), r"(?s)modifiers.awp.gamma: must be positive"),
        (("+modifiers.awp={since: 1}",), r"(?s)modifiers.awp.since: a fraction of training"),
        (("modifiers=awp",), r"(?s)modifiers: is a group of entries"),
    ],
)
def test_what_cannot_be_is_said(words, says):
    with pytest.raises(AdvkdError, match=says):
        advkd.resolve("preset=rslad", *words)


def test_a_member_needs_a_hook_and_its_hooks_fit(monkeypatch):

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Idle:
        """Does nothing."""

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Short:
        """Forgets the step."""

        def after_step(self, student):
            """One argument too few."""

    with pytest.raises(AdvkdError, match=r"(?s)has no hook of its slot.*around_step"):
        check("modifiers", "modifier idle", Idle)
    with pytest.raises(AdvkdError, match=r"(?s)does not fit.*after_step"):
        advkd.register("modifiers", "short")(Short)
