"""The example plugin, as a stranger's: its wheel beside that of advkd in an environment of its own."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec

import pytest
from fresh import ROOT, fresh, wheel

EXAMPLE = ROOT / "examples" / "third_party_plugin"
SMALL = (
    "split.train=300",
    "split.test=60",
    "epochs=1",
    "teacher.preset=standard",
    "teacher.epochs=8",
    "teacher.batch_size=16",
    "teacher.model.width=8",
    "evaluation.pgd-20.restarts=1",
)


@pytest.mark.slow
def test_the_example_installs_and_runs_beside_the_wheel_of_advkd(tmp_path):
    there = fresh(tmp_path, wheel(ROOT, tmp_path), wheel(EXAMPLE, tmp_path))

    code = "import advkd, advkd_curriculum as one; print(advkd.__file__, one.__file__, sep='\\n')"
    files = there.run("python", "-c", code, cwd=tmp_path).splitlines()
    assert all(file.startswith(str(there.folder)) for file in files)

    listed = there.run("advkd", "list", "--check", "weightings", cwd=tmp_path)
    assert re.search(r"^curriculum +A bell over the path.* advkd-curriculum 0\.1\.0", listed, re.MULTILINE)
    assert "broken" not in listed
    cache = str(tmp_path / "teachers")
    there.run("advkd", "run", "preset=curriculum", *SMALL, "out=here", cwd=tmp_path, ADVKD_CACHE=cache)
    assert json.loads((tmp_path / "here" / "result.json").read_text())["preset"] == "curriculum"
    assert "use: curriculum" in (tmp_path / "here" / "run.yaml").read_text()

    if find_spec("advkd.testing"):
        there.run("advkd", "check", "weighting", "curriculum", cwd=tmp_path)
        tests = there.run(
            "python", "-m", "pytest", "-q", EXAMPLE / "tests", "-p", "no:cacheprovider", cwd=tmp_path
        )
        assert re.search(r"\d+ passed", tests)
