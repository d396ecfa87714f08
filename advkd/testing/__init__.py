"""Public conformance kit: what every member of a slot promises, as checks any plugin can run on its own.

`conformance` makes them tests of pytest, `findings` runs them without it; `advkd check SLOT NAME` does so
from the command line. `advkd.testing.mutants` holds one faulty member per check.
"""

from advkd.testing.kit import conformance
from advkd.testing.runner import Finding, findings

__all__ = ["Finding", "conformance", "findings"]
