"""What the outcomes of evaluators are called."""

from __future__ import annotations

from collections.abc import Mapping

from advkd.errors import error
from advkd.protocols import Evaluator
from advkd.registry import load

CLEAN, OFFICIAL = "clean", "autoattack"
MANY = 1000
"""Classes with which every suite runs as its authors mean it."""


def entry_names(evaluators: Mapping[str, Evaluator], classes: int) -> dict[str, str]:
    """The names of outcomes by the keys of their evaluators, `clean` left out: it is measured anyway.

    A key stands as it is, unless it is a name that the evaluator may not have with so few classes.
    Raises `AdvkdError` for another attack called `clean` or as the official suite is, for a name with a dot,
    which parts of what is stored begin with, and for two that come to one name.
    """
    names: dict[str, str] = {}
    for key, evaluator in evaluators.items():
        if key == CLEAN:
            if not isinstance(evaluator, load("evaluators", CLEAN)):
                remedy = "give it another name; clean accuracy is measured anyway"
                raise error(f"evaluators.{CLEAN}", "this name is reserved", given=evaluator, remedy=remedy)
            continue
        if key.startswith(OFFICIAL) and not _official(key, evaluator):
            problem = f"{key} is kept for the official suite under its own name"
            raise error("evaluators", problem, given=evaluator, remedy="give it another name")
        if "." in key:
            remedy = f"call it {key.replace('.', '-')}"
            raise error("evaluators", "no attack may have a dot in its name", given=key, remedy=remedy)
        named = getattr(evaluator, "named", None)
        name = named(classes) if named is not None and named(MANY) == key else key
        if name in names.values():
            remedy = f"call it other than {name}"
            raise error(
                f"evaluators.{key}", f"is called {name} with {classes} classes", given=key, remedy=remedy
            )
        names[key] = name
    return names


def _official(key: str, evaluator: Evaluator) -> bool:
    """Whether it is the official suite, and in the form that its name says."""
    return isinstance(evaluator, load("evaluators", OFFICIAL)) and evaluator.named(MANY) == key
