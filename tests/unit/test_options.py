"""Options of members: what a word can say of them, and that `run.yaml` says it back."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import advkd
from advkd import AdvkdError
from advkd.config.build import member
from advkd.protocols import Weighting
from advkd.weightings.margin import Boundary
from advkd.weightings.position import End
from advkd.weightings.product import Product

pytestmark = pytest.mark.usefixtures("site")


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


def weighting(name, cls):
    cls.__call__ = lambda self, view, step: None
    advkd.register("weightings", name)(dataclass(frozen=True, kw_only=True)(cls))


def test_paths_choices_and_sets_are_read_and_written_as_plain_values():
    class Painted:
        place: Path = Path("a/b")
        colour: Colour = Colour.RED
        names: frozenset[str] = frozenset({"one", "two", "three"})

    weighting("painted", Painted)
    plain = {"use": "painted", "place": "a/b", "colour": "red", "names": ["one", "three", "two"]}
    value, dump = member("weightings", {"use": "painted"}, "weight")
    assert dump == plain
    assert member("weightings", dump, "weight") == (value, plain)
    other, dump = member("weightings", {"use": "painted", "place": "c", "colour": "blue"}, "weight")
    assert (other.place, other.colour, dump["place"], dump["colour"]) == (Path("c"), Colour.BLUE, "c", "blue")


def test_a_value_that_no_file_can_hold_is_refused():
    class Raw:
        what: bytes = b""

    weighting("raw", Raw)
    with pytest.raises(AdvkdError, match="its default is no plain value"):
        member("weightings", {"use": "raw"}, "weight")
    with pytest.raises(AdvkdError, match="which words cannot set"):
        member("weightings", {"use": "raw", "what": "x"}, "weight")


def test_a_member_as_default_is_written_with_its_name():
    class Doubled:
        inner: Weighting = field(default_factory=lambda: Boundary(kappa=0.5))

    class Unknown:
        inner: Weighting = field(default_factory=lambda: Unregistered())

    @dataclass(frozen=True)
    class Unregistered:
        def __call__(self, view, step):
            return None

    weighting("doubled", Doubled)
    value, dump = member("weightings", {"use": "doubled"}, "weight")
    assert (dump["inner"]["use"], dump["inner"]["kappa"]) == ("boundary", 0.5)
    assert member("weightings", dump, "weight") == (value, dump)

    class Twice:
        inner: Weighting = field(default_factory=lambda: Product(left=Boundary(kappa=0.5), right=End()))

    weighting("twice", Twice)
    value, dump = member("weightings", {"use": "twice"}, "weight")
    assert [dump["inner"][side]["use"] for side in ("left", "right")] == ["boundary", "end"]
    assert member("weightings", dump, "weight") == (value, dump)
    weighting("unknown-inside", Unknown)
    with pytest.raises(AdvkdError, match=r"weight\.inner: its default is no plain value"):
        member("weightings", {"use": "unknown-inside"}, "weight")


def test_an_error_inside_a_member_is_not_taken_for_one_of_its_options():
    class Broken:
        nothing: int | None = None

        def __post_init__(self):
            len(self.nothing)

    weighting("broken-inside", Broken)
    with pytest.raises(TypeError, match="has no len"):
        member("weightings", {"use": "broken-inside"}, "weight")


def test_numbers_may_name_entries(tmp_path):
    run = advkd.resolve("preset=rslad", "evaluation={20: {use: pgd, steps: 20}}")
    assert run.resolved["evaluation"]["20"]["steps"] == 20
    file = tmp_path / "mine.yaml"
    terms = "{1: {loss: ce, target: label, weight: end}}"
    file.write_text(f"extends: rslad\nmethod: {{branches: {{untargeted: {{terms: {terms}}}}}}}\n")
    run = advkd.resolve(f"preset={file}")
    assert "1" in run.resolved["method"]["branches"]["untargeted"]["terms"]


def test_a_setting_file_is_the_same_however_its_path_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text("extends: digits\nepochs: 3\n")
    spelled = ("mine.yaml", "./mine.yaml", "other/../mine.yaml")
    assert len({advkd.resolve("preset=rslad", f"setting={path}").hash for path in spelled}) == 1


def test_a_file_that_extends_itself_by_another_way_is_told(tmp_path):
    folder = tmp_path / "loop"
    folder.mkdir()
    (folder / "one.yaml").write_text("extends: ../loop/one.yaml\n")
    with pytest.raises(AdvkdError, match="extends itself"):
        advkd.resolve(f"preset={folder / 'one.yaml'}")


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("epochs=???", r"epochs: YAML reads \?\?\? as a value that is missing"),
        ("teacher=hubb:user/name", r"(?s)model.*nearest  hub"),
    ],
)
def test_words_that_say_nothing(word, says):
    with pytest.raises(AdvkdError, match=says):
        advkd.resolve("preset=rslad", word)


@pytest.mark.parametrize(
    ("written", "says"),
    [("010", "010 as 8"), ("1:30", "1:30 as 90"), ("???", r"\?\?\? as a value that is missing")],
)
def test_a_file_is_read_as_it_is_written(written, says, tmp_path):
    (tmp_path / "mine.yaml").write_text(f"extends: digits\nepochs: {written}\n")
    with pytest.raises(AdvkdError, match=rf"mine\.yaml: YAML reads {says}"):
        advkd.resolve("preset=rslad", f"setting={tmp_path / 'mine.yaml'}")


def test_text_that_looks_like_another_number_is_text_where_it_is_quoted(tmp_path):
    (tmp_path / "mine.yaml").write_text("extends: digits\nabout: '010'\nepochs: 3\n")
    assert advkd.resolve("preset=rslad", f"setting={tmp_path / 'mine.yaml'}").epochs == 3


def test_what_stands_for_another_value_is_told():
    with pytest.raises(AdvkdError, match=r"(?s)\$\{ would stand for another value; rename what it names"):
        advkd.resolve("preset=rslad", "data.path=a${b")
