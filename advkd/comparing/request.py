"""The words of a comparison: who takes part, how often, on which images, with which changes."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from advkd.config.run import Spec
from advkd.config.words import value_of
from advkd.errors import AdvkdError, Problem, error, unknown
from advkd.registry import entries
from advkd.types import Part

Equal = Literal["epochs", "compute"]

OWN = ("presets", "preset", "seeds", "allow", "equal", "jobs", "vary", "on", "suite", "limit")
"""Keys that are words of the comparison; every other one changes the runs."""

GIVEN = {
    "seed": ("a comparison has several", "write seeds=0,1,2"),
    "preset": ("an entrant is one preset", "write presets=path-dual,rslad or presets=LABEL:PRESET,..."),
    "evaluation": ("students are judged by a suite", "write suite=standard or suite=FILE.yaml"),
}
"""Options of a run that a comparison gives itself: why, and what to write instead."""

COUNTS = {"jobs": "write jobs=auto or jobs=2", "limit": "write limit=1000"}

KEYS = tuple(field.name for field in fields(Spec))


@dataclass(frozen=True)
class Entrant:
    """One row of the comparison: `label`, and the words that only its runs get, `preset=` first."""

    label: str
    words: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the words ask for; `shared` are those that every run gets, `jobs` is None where it is found."""

    words: tuple[str, ...]
    entrants: Sequence[Entrant]
    seeds: tuple[int, ...]
    shared: tuple[str, ...]
    equal: Equal = "epochs"
    on: Part = "test"
    suite: str = "compare"
    limit: int | None = None
    allow: bool = False
    jobs: int | None = None
    load: str | Path | None = None


def parsed(words: Sequence[str], load: str | Path | None = None, jobs: int | None = None) -> Request:
    """The request of a command line, or an `AdvkdError` with what is wrong with it.

    `load` is the file whose members it may name, for processes to import; `jobs` counts where no word does.
    """
    own, rest = _sorted(words)
    varied = "vary" in own
    entrants, shared = _entrants(own, rest, varied=varied)
    return Request(
        words=tuple(words),
        entrants=entrants,
        seeds=_seeds(own.get("seeds", ["0,1,2"])[-1]),
        shared=shared,
        equal=_one_of("equal", own, Equal, "epochs"),
        on=_one_of("on", own, Part, "validation" if varied else "test"),
        suite=own.get("suite", ["compare"])[-1],
        limit=_count("limit", own.get("limit", [""])[-1]),
        allow=_one_of("allow", own, Literal["differences"], "") == "differences",
        jobs=_jobs(own.get("jobs", [""])[-1], jobs),
        load=load,
    )


def _entrants(
    own: Mapping[str, list[str]], rest: Sequence[str], *, varied: bool
) -> tuple[list[Entrant], tuple[str, ...]]:
    """Who takes part, and the words that are everybody's."""
    if "presets" in own and {"vary", "preset"} & own.keys():
        remedy = "write presets=path-dual,rslad alone, or preset=NAME vary=KEY:VALUE,VALUE"
        raise error("presets", "goes with neither preset nor vary", given=own["presets"][-1], remedy=remedy)
    place = "vary" if varied else "presets"
    entrants = list(_varied(own) if varied else _listed(own))
    once = "write every value once" if varied else "give it a label: label:preset"
    _distinct(place, [entrant.label for entrant in entrants], once)
    if len(entrants) < 2:
        raise error(
            place,
            "a comparison needs two",
            given=", ".join(entrant.label for entrant in entrants),
            remedy="write presets=path-dual,rslad, or preset=NAME vary=KEY:VALUE,VALUE",
        )
    return (entrants, tuple(rest)) if varied else _owned(entrants, rest)


def _sorted(words: Sequence[str]) -> tuple[dict[str, list[str]], list[str]]:
    own: dict[str, list[str]] = {}
    rest = []
    for word in words:
        key, equals, value = word.partition("=")
        if equals and key in OWN:
            # who takes part is a list, of which both might be meant; of all other words the last one counts
            if key == "presets" and key in own:
                both = f"{own[key][0]} and {value}"
                raise error(key, "is given twice", given=both, remedy="write it once")
            own.setdefault(key, []).append(value)
        else:
            _free(word, word)
            rest.append(word)
    return own, rest


def _free(word: str, given: str) -> None:
    """Refuses a word of runs that the comparison gives them itself."""
    key, _, value = word.lstrip("+~").partition("=")
    name = (value if key == "drop" else key).partition(".")[0]
    if name in GIVEN:
        problem, remedy = GIVEN[name]
        raise error(name, problem, given=given, remedy=remedy)


def _listed(own: Mapping[str, list[str]]) -> Iterator[Entrant]:
    """`presets=a,b,label:c`."""
    if "presets" not in own:
        names = list(entries("presets"))
        problem = Problem(
            place="presets", problem="which ones?", names=names, remedy="write presets=path-dual,rslad"
        )
        raise AdvkdError(problem)
    for text in own["presets"][-1].split(","):
        label, colon, preset = text.strip().partition(":")
        preset = preset if colon else label
        label = label if colon else Path(label).name.removesuffix(".yaml").removesuffix(".yml")
        if colon and not (label and preset):
            raise error(
                "presets", "a label and its preset: one is missing", given=text, remedy="write label:preset"
            )
        if label:
            _addressed(label)
            yield Entrant(label, (f"preset={preset}",))


def _addressed(label: str) -> None:
    """Refuses a label with which `label.key=value` could be read in two ways."""
    taken = "is an option of every run" if label in KEYS else "has a dot" if "." in label else ""
    if taken:
        remedy = f"choose another label: {label.replace('.', '-') if '.' in label else f'my-{label}'}:PRESET"
        raise error("presets", f"a label {taken}: LABEL.key=value is unclear", given=label, remedy=remedy)


def _varied(own: Mapping[str, list[str]]) -> Iterator[Entrant]:
    """`preset=NAME vary=KEY:VALUE,VALUE`; several `vary` are a grid, keys joined by + move together."""
    if "preset" not in own:
        raise error("vary", "of which preset?", remedy="write preset=NAME beside vary=KEY:VALUE,VALUE")
    axes = [_axis(text) for text in own["vary"]]
    all_keys = [keys for keys, _ in axes]
    shown = [_short(keys[0], all_keys[:i] + all_keys[i + 1 :]) for i, keys in enumerate(all_keys)]
    for point in itertools.product(*(values for _, values in axes)):
        label = " ".join(f"{key}={_shown(value)}" for key, value in zip(shown, point, strict=True))
        pairs = zip(all_keys, point, strict=True)
        changes = [f"{key}={json.dumps(value)}" for keys, value in pairs for key in keys]
        yield Entrant(label, (f"preset={own['preset'][-1]}", *changes))


def _axis(text: str) -> tuple[list[str], list[Any]]:
    keys, colon, values = text.partition(":")
    names = keys.split("+")
    if not colon or not all(names) or not values:
        raise error("vary", "is not KEY:VALUE,VALUE", given=text, remedy="write vary=epochs:10,20")
    found: list[Any] = value_of(f"[{values}]", "vary")
    for name in names:
        _free(name, f"vary={text}")
    return names, found


def _short(key: str, others: Sequence[Sequence[str]]) -> str:
    """The shortest end of a key that is no option of every run and ends no key of another axis."""
    parts = key.split(".")
    taken = [f".{other}" for keys in others for other in keys]
    ends = (".".join(parts[i:]) for i in range(len(parts) - 1, 0, -1))
    return next((e for e in ends if e not in KEYS and not any(t.endswith(f".{e}") for t in taken)), key)


def _shown(value: Any) -> str:
    """A value as a label: `boundary(kappa=0.5)` for a component with options."""
    if isinstance(value, dict) and "use" in value:
        options = ", ".join(f"{key}={_shown(inner)}" for key, inner in value.items() if key != "use")
        return f"{value['use']}({options})" if options else str(value["use"])
    return value if isinstance(value, str) else json.dumps(value)


def _owned(entrants: list[Entrant], rest: Sequence[str]) -> tuple[list[Entrant], tuple[str, ...]]:
    """Hands `label.key=value` to its entrant; what is left is everybody's."""
    words = {entrant.label: list(entrant.words) for entrant in entrants}
    shared = []
    for word in rest:
        start = word[: len(word) - len(word.lstrip("+~"))]
        body = word[len(start) :]
        label = next((name for name in words if body.startswith(f"{name}.")), None)
        head, dot, _ = body.partition("=")[0].partition(".")
        if label is None and dot and head not in KEYS:
            raise AdvkdError(unknown(word, "option or entrant", head, [*KEYS, *words]))
        if label is None:
            shared.append(word)
        else:
            own = start + body[len(label) + 1 :]
            _free(own, word)
            words[label].append(own)
    return [Entrant(label, tuple(texts)) for label, texts in words.items()], tuple(shared)


def _seeds(text: str) -> tuple[int, ...]:
    try:
        seeds = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise error("seeds", "is not a list of integers", given=text, remedy="write seeds=0,1,2") from None
    _distinct("seeds", seeds, "write every seed once")
    return seeds


def _distinct(place: str, given: Sequence[object], remedy: str) -> None:
    twice = [name for name in dict.fromkeys(given) if given.count(name) > 1]
    if twice:
        raise error(place, f"{', '.join(map(str, twice))} is there twice", remedy=remedy)


def _one_of(key: str, own: Mapping[str, list[str]], kind: Any, default: str) -> Any:
    value = own.get(key, [default])[-1]
    if key in own and value not in get_args(kind):
        raise AdvkdError(unknown(key, "value", value, get_args(kind)))
    return value


def _jobs(text: str, untold: int | None) -> int | None:
    return None if text == "auto" else _count("jobs", text) or untold


def _count(key: str, text: str) -> int | None:
    if text and (not text.isdecimal() or int(text) < 1):
        raise error(key, "must be a whole number, at least 1", given=text, remedy=COUNTS[key])
    return int(text) if text else None
