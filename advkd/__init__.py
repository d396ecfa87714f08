"""advkd: adversarial distillation of small robust students, with honest comparison.

`resolve`, `train`, `resume`, `evaluate`, `audit`, `compare`, `report`, `load` and `loss_of` are what the
command line itself uses; `to_art` hands a network on, `register` adds a member from a script. Importing
the package imports no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from advkd.errors import AdvkdError
from advkd.registry import register

if TYPE_CHECKING:
    from advkd.api import Threat, audit, evaluate, load, loss_of, report, resolve, resume, to_art, train
    from advkd.comparing.open import compare

__all__ = [
    "AdvkdError",
    "Threat",
    "audit",
    "compare",
    "evaluate",
    "load",
    "loss_of",
    "register",
    "report",
    "resolve",
    "resume",
    "to_art",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        module = "advkd.comparing.open" if name == "compare" else "advkd.api"
        return getattr(import_module(module), name)
    raise AttributeError(f"module 'advkd' has no attribute {name!r}")
