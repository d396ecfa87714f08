"""The report of runs, audits and comparisons, rebuilt from what they have left."""

from advkd.reporting.write import report

__all__ = ["report"]
