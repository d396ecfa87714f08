"""The attacks of adv-lib by name, and the options each takes."""

from __future__ import annotations

import inspect
from importlib import import_module

import pytest
from advkd_plugins.advlib import library
from advkd_plugins.advlib.evaluator import AdvLib

from advkd import AdvkdError
from advkd.config.build import member

pytestmark = pytest.mark.usefixtures("adv_lib")
OTHER_MEASURES = {"fga", "vfga", "sigma_zero", "str_attack", "perc_al"}


def functions() -> dict[str, inspect.Signature]:
    library.attack("ddn", ())
    attacks = import_module("adv_lib.attacks")
    return {name: inspect.signature(f) for name, f in vars(attacks).items() if inspect.isfunction(f)}


def test_every_attack_is_known_and_its_arguments_are_there():
    found = functions()
    assert library.ATTACKS.keys() == found.keys() - OTHER_MEASURES
    for name, trait in library.ATTACKS.items():
        taken = found[name].parameters
        named = {"model", "inputs", "labels", trait.eps, trait.norm, *trait.refused} - {""}
        assert named <= taken.keys(), name
        assert taken["targeted"].default is False
        # whatever has no default is filled by us
        needed = {key for key, p in taken.items() if p.default is p.empty}
        assert needed <= {"model", "inputs", "labels", trait.eps, trait.norm}, name


def test_what_has_a_budget_is_what_is_called_so():
    fixed = {name for name in library.ATTACKS if AdvLib(name=name).kind == "fixed-budget"}
    assert fixed == {"apgd", "apgd_targeted", "pgd_linf"}


def test_options_are_held_against_the_signature():
    for options, says in (
        ({"stesp": 3}, "unknown option of ddn\n  given    stesp\n  nearest  steps"),
        ({"targeted": True}, "targeted of ddn cannot be set"),
        ({"callback": 1}, "callback of ddn cannot be set"),
    ):
        with pytest.raises(AdvkdError, match=says):
            AdvLib(name="ddn", options=options)
    for options in ({"eps": 1.0}, {"norm": 2}, {"best_loss": True}):
        with pytest.raises(AdvkdError, match="of apgd cannot be set"):
            AdvLib(name="apgd", options=options)
    # of FAB it is the radius of random starts, not a budget
    assert AdvLib(name="fab", options={"ε": 0.2}).kind == "minimal-norm"
    # and of the trust region the first length of its steps
    with pytest.raises(AdvkdError, match="p of tr cannot be set"):
        AdvLib(name="tr", options={"p": 2})
    assert AdvLib(name="tr", options={"eps": 0.01}).kind == "minimal-norm"


def test_words_name_it_and_its_options():
    built, dump = member("evaluators", {"use": "advlib:ddn", "options": {"γ": 0.1}}, "evaluation.ddn")
    assert built == AdvLib(name="ddn", options={"γ": 0.1})
    assert dump == {"use": "advlib", "name": "ddn", "options": {"γ": 0.1}}
    with pytest.raises(AdvkdError, match="nearest  ddn") as caught:
        member("evaluators", "advlib:dnn", "evaluation.x")
    assert caught.value.problems[0].place == "evaluation.x.name"
