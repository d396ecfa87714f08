"""Any evasion attack of adversarial-robustness-toolbox (`art:NAME`)."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from advkd.errors import AdvkdError, error, unknown
from advkd.networks.art import to_art
from advkd.networks.isolation import isolated
from advkd.outcome import Outcome
from advkd.protocols import Kind, Knowledge
from advkd.streams import drawn
from advkd.types import Batch, Threat

UNSAID = ("AutoAttack", "UniversalPerturbation", "TargetedUniversalPerturbation")
"""Attacks that use gradients through others and do not say so."""

NOTES = {"AutoAttack": ("not the official AutoAttack suite, but the toolbox's own attack of that name",)}


@dataclass(frozen=True, kw_only=True)
class Art:
    """The attack class `name` of `art.attacks.evasion`, with `options` as its keyword arguments.

    `clip_values` is always the box of the threat: without it these attacks do not clip. `norm`, `eps`, a
    quarter of eps as `eps_step` and DeepFool's overshoot of 0.02 are passed where `options` say nothing; what
    it returns is projected into the threat, so a minimal-norm attack counts only where it succeeds
    within eps. Source: Nicolae et al. 2018 (arXiv 1807.01069). Its attacks draw from numpy's global
    generator, which is seeded for the attack and put back.

    `art:AutoAttack` is not the official suite: it has no FAB and no targeted APGD.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._class()

    @property
    def kind(self) -> Kind:
        """An attack that takes no eps looks for the nearest error."""
        return "fixed-budget" if "eps" in inspect.signature(self._class()).parameters else "minimal-norm"

    @property
    def knowledge(self) -> Knowledge:
        """An attack that asks its estimator for gradients sees the network."""
        if self.name in UNSAID:
            return "white-box"
        asked = self._class()._estimator_requirements
        return "white-box" if any("Gradients" in mixin.__name__ for mixin in asked) else "black-box"

    @property
    def mixed(self) -> bool:
        """Whether it runs attacks of both kinds."""
        return self.name == "AutoAttack"

    def passes(self, classes: int) -> None:
        """Not known before it has run."""

    def __call__(self, net: nn.Module, batch: Batch, threat: Threat, generator: torch.Generator) -> Outcome:
        """The attacked images."""
        channels, height, width = batch.x.shape[1:]
        with isolated(net, drawn(generator)):
            classifier = to_art(net, (channels, height, width), box=threat.box)
            attack = self._attack(classifier, len(batch.x), threat)
            y = batch.y.cpu().numpy()
            x = attack.generate(batch.x.cpu().numpy(), **({} if _targeted(attack) else {"y": y}))
        return Outcome(threat.project(torch.as_tensor(x).to(batch.x), batch.x), NOTES.get(self.name, ()))

    def _class(self) -> Any:
        from art.attacks import evasion

        cls = getattr(evasion, self.name, None)
        if cls is None:
            names = [n for n in vars(evasion) if inspect.isclass(getattr(evasion, n))]
            raise AdvkdError(unknown("art", "evasion attack", self.name, names))
        return cls

    def _attack(self, classifier: Any, batch_size: int, threat: Threat) -> Any:
        cls = self._class()
        norm = np.inf if threat.norm == "linf" else 2
        defaults = {"norm": norm, "eps": threat.eps, "eps_step": threat.eps / 4, "verbose": False}
        defaults["batch_size"] = batch_size
        taken = inspect.signature(cls).parameters
        if self.name == "DeepFool":
            # of its paper; the toolbox's own overshoot is lost in float32, and the end is no error yet
            defaults["epsilon"] = 0.02
        options = {key: value for key, value in defaults.items() if key in taken} | dict(self.options)
        try:
            attack = cls(classifier, **options)
        except (TypeError, ValueError) as cause:
            raise error(f"art:{self.name}", str(cause), given=options, remedy="set its options") from cause
        for inner in getattr(attack, "attacks", ()):
            inner.verbose = False
        return attack


def _targeted(attack: Any) -> bool:
    return bool(getattr(attack, "targeted", False))
