"""What adv-lib's attacks are, and how they are reached without the plotting server it asks for."""

from __future__ import annotations

import inspect
import sys
import types
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from torch import Tensor

from advkd.errors import AdvkdError, Problem, error, unknown
from advkd.protocols import Kind
from advkd.types import Norm, Threat

REMEDY = "pip install --no-deps adv-lib tqdm setuptools; it asks for visdom, which it only plots with"
OURS = ("model", "inputs", "labels", "targeted", "callback")
"""Arguments that the network, the batch and the search for any wrong class fill."""


@dataclass(frozen=True, kw_only=True)
class Trait:
    """What an attack measures in, and the names of its arguments for eps and norm, where it has them.

    An attack with `eps` has a fixed budget, all others minimise one of `norms`. Its own loss compares
    `classes` logits. `refused` are options that would break it.
    """

    norms: tuple[Norm, ...]
    eps: str = ""
    norm: str = ""
    classes: int = 2
    refused: tuple[str, ...] = ()

    @property
    def kind(self) -> Kind:
        """What it searches for."""
        return "fixed-budget" if self.eps else "minimal-norm"

    def measure(self, threat: Threat) -> Norm:
        """The norm it works in under a threat: that of the threat where it can."""
        return threat.norm if threat.norm in self.norms else self.norms[0]

    def arguments(self, threat: Threat) -> dict[str, float]:
        """Its eps and norm, by name."""
        norm = float("inf") if self.measure(threat) == "linf" else 2
        return {name: value for name, value in ((self.eps, threat.eps), (self.norm, norm)) if name}


BOTH: tuple[Norm, ...] = ("linf", "l2")
ATTACKS: Mapping[str, Trait] = {
    # use_large_reps is for l1 only; with best_loss, adv-lib 0.2.8 forgets n_iter
    "apgd": Trait(norms=BOTH, eps="eps", norm="norm", classes=3, refused=("use_large_reps", "best_loss")),
    "apgd_targeted": Trait(norms=BOTH, eps="eps", norm="norm", classes=4, refused=("use_large_reps",)),
    "pgd_linf": Trait(norms=("linf",), eps="ε"),
    "alma": Trait(norms=("l2",), classes=3, refused=("distance",)),
    "carlini_wagner_l2": Trait(norms=("l2",)),
    "carlini_wagner_linf": Trait(norms=("linf",)),
    "ddn": Trait(norms=("l2",)),
    "df": Trait(norms=BOTH, norm="norm", refused=("return_targets",)),
    "fab": Trait(norms=BOTH, norm="norm"),
    "fmn": Trait(norms=BOTH, norm="norm", refused=("starting_points",)),
    "pdgd": Trait(norms=("l2",)),
    "pdpgd": Trait(norms=BOTH, norm="norm"),
    "sdf": Trait(norms=("l2",)),
    "tr": Trait(norms=BOTH, norm="p"),
}
"""The attacks of adv-lib 0.2.8 whose measure a threat can have."""


def trait(name: str) -> Trait:
    """What is known of an attack; an `AdvkdError` that names the nearest for no such attack."""
    if name not in ATTACKS:
        raise AdvkdError(unknown("advlib.name", "attack of adv-lib", name, ATTACKS))
    return ATTACKS[name]


def attack(name: str, options: Iterable[str], closed: Iterable[str] = ()) -> Callable[..., Tensor]:
    """The attack function, which takes `options`; `closed` are set by the caller.

    Raises `AdvkdError` for an option it does not take or that cannot be set, and without adv-lib.
    """
    known = trait(name)
    function: Callable[..., Tensor] = getattr(_attacks(), name)
    taken = inspect.signature(function).parameters
    free = [key for key in taken if key not in {*OURS, known.eps, known.norm, *known.refused, *closed}]
    place = "advlib.options"
    problems = [
        Problem(place=place, problem=f"{key} of {name} cannot be set", given=key, names=free)
        if key in taken
        else unknown(place, f"option of {name}", key, free)
        for key in options
        if key not in free
    ]
    if problems:
        raise AdvkdError(*problems)
    return function


def fits(name: str, threat: Threat) -> None:
    """Raises for pixels outside [0,1], and for a fixed budget in a norm the attack has not."""
    known = trait(name)
    if threat.box != (0.0, 1.0):
        remedy = "set threat.box to [0,1], or leave its attacks out"
        raise error("threat.box", "adv-lib takes pixels in [0,1] only", given=threat.box, remedy=remedy)
    if known.kind == "fixed-budget" and threat.norm not in known.norms:
        problem = f"{name} attacks within {' or '.join(known.norms)} only"
        raise error("advlib.name", problem, given=str(threat), remedy="choose another attack, such as apgd")


def _attacks() -> types.ModuleType:
    # its attacks import the plotting server for a logger that only `callback` uses
    absent = "visdom" not in sys.modules and find_spec("visdom") is None
    if absent:
        sys.modules["visdom"] = types.ModuleType("visdom")
    try:
        with warnings.catch_warnings():
            # it compares versions with distutils, which warns that it is old
            warnings.simplefilter("ignore", DeprecationWarning)
            from adv_lib import attacks
    except ImportError as cause:
        raise error("advlib", f"adv-lib cannot be imported: {cause}", remedy=REMEDY) from cause
    finally:
        if absent:
            del sys.modules["visdom"]
    return attacks  # type: ignore[no-any-return]
