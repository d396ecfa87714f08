"""Presets, settings and suites with one fault each: SLOT.CHECK.yaml beside this file."""

from __future__ import annotations

from pathlib import Path

from advkd.testing.mutants import plant

for _file in sorted(Path(__file__).parent.glob("*.yaml")):
    _slot, _check, _ = _file.name.split(".")
    plant(_slot, _check, str(_file))
