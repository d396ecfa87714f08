"""advkd: adversarial distillation of small robust students, with honest comparison.

`resolve`, `train`, `evaluate`, `audit`, `report`, `load` and `loss_of` are what the command line itself uses;
`register` adds a member from a script. Importing the package imports no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from advkd.errors import AdvkdError
from advkd.registry import register

if TYPE_CHECKING:
    from advkd.api import Threat, audit, evaluate, load, loss_of, report, resolve, train

__all__ = [
    "AdvkdError",
    "Threat",
    "audit",
    "evaluate",
    "load",
    "loss_of",
    "register",
    "report",
    "resolve",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("advkd.api"), name)
    raise AttributeError(f"module 'advkd' has no attribute {name!r}")
