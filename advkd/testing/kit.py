"""The conformance kit as a plugin author uses it, with pytest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from advkd.errors import error
from advkd.testing.runner import Trial, trials


def conformance(
    slot: str, *members: Any, except_: Mapping[str, str] | None = None
) -> Callable[[Trial], None]:
    """A test for pytest: one id per check and member.

        test_late = conformance("weightings", Late(), Late(power=3))

    runs `shape-Late()`, `shape-Late(power=3)` and so on. `except_={"check": "reason"}` declares checks
    that are known to fail; one of them that passes is a failure too. Presets, settings and suites are
    given by name, with words behind it: `conformance("settings", "folder data.path=images")`.
    """
    import pytest

    if not members:
        raise error("conformance", "checks nothing", remedy="name at least one member, with its options")
    found = [pytest.param(trial, id=trial.title) for trial in trials(slot, *members, except_=except_)]

    @pytest.mark.parametrize("trial", found)
    def test(trial: Trial) -> None:
        finding = trial()
        if finding.state == "failed":
            pytest.fail(str(finding), pytrace=False)
        if finding.state == "excepted":
            pytest.xfail(finding.why)

    return test
