"""What an audit is asked to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from advkd.auditing.ledger import Progress
from advkd.config.case import AuditPlan
from advkd.data.images import Images
from advkd.types import Threat, silent


@dataclass(frozen=True)
class Subject:
    """A network to judge; `record` is what its file says of its validation."""

    who: str
    net: nn.Module
    record: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Audit:
    """Everything one audit needs; the first subject is the one judged, `nets` are what attacks may ask."""

    subjects: Sequence[Subject]
    images: Images
    classes: int
    threat: Threat
    plan: AuditPlan
    options: Mapping[str, Any]
    nets: Mapping[str, nn.Module] = field(default_factory=dict)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    folder: Path | None = None
    report: Progress = silent

    @property
    def named(self) -> dict[str, nn.Module]:
        """Every network of the audit, by the name of its mark."""
        return {s.who: s.net for s in self.subjects} | {f"nets.{k}": net for k, net in self.nets.items()}
