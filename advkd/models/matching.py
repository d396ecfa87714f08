"""Names of weights in files of other code, matched to the names of a network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from torch import Tensor, nn

PREFIXES = ("module.", "model.", "net.", "_orig_mod.", "1.")
"""Added by wrappers: several devices, Lightning, this toolkit, torch.compile, a Sequential."""

UNUSED = ("sub_block1.",)
"""In the code of TRADES, a group that is built but never runs."""

MEAN, STD = "normalise.mean", "normalise.std"
STATISTICS = {"mean": MEAN, "mu": MEAN, "std": STD, "sigma": STD}
"""How others call what `normalise` holds."""


def matched(state: Mapping[str, Tensor], net: nn.Module) -> tuple[dict[str, Tensor], list[tuple[str, str]]]:
    """`state` under the names of `net`, and what was renamed: (old, new), new empty if left out.

    Wrapper prefixes are ignored on both sides; mean and std may be called otherwise. What fits nothing
    keeps its name.
    """
    own = net.state_dict()
    whole, wanted = _wrapped(state, own), dict[str, str]()
    for key in own:
        wanted.setdefault(bare(key), key)
    renamed: dict[str, Tensor] = {}
    moves = []
    for old in sorted(state, key=lambda name: name not in own):
        inner = old.removeprefix(whole)
        new = inner if inner in own else wanted.get(bare(old)) or statistic(old, state[old], own)
        if new in renamed:
            new = old
        if new not in own and bare(old).startswith(UNUSED):
            new = ""
        else:
            moved = new != old and new in (MEAN, STD)
            renamed[new] = state[old].reshape(own[new].shape) if moved else state[old]
        if new != old:
            moves.append((old, new))
    return renamed, moves


def _wrapped(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> str:
    """The prefixes of wrappers before every name of `state` behind which lie the names of `own` as they are.

    Looked for first, since a network may have parts that are called like a wrapper.
    """
    prefix = ""
    while not {name.removeprefix(prefix) for name in state} <= own.keys():
        more = next((p for p in PREFIXES if all(name.startswith(prefix + p) for name in state)), "")
        if not state or not more:
            return ""
        prefix += more
    return prefix


def bare(name: str) -> str:
    """`name` without the prefixes of wrappers."""
    while prefix := next((p for p in PREFIXES if name.startswith(p)), ""):
        name = name.removeprefix(prefix)
    return name


def statistic(name: str, value: Tensor, own: Mapping[str, Tensor]) -> str:
    """The buffer of `normalise` that `name` stands for if it holds one number per channel, else `name`."""
    parent, _, leaf = bare(name).rpartition(".")
    new = STATISTICS.get(leaf, "")
    fits = new in own and "." not in parent and value.numel() == own[new].numel()
    return new if fits else name


def rules(moves: Iterable[tuple[str, str]]) -> list[str]:
    """What `matched` did, one sentence per rule."""
    return [f"{rule} {count} key{'s' if count > 1 else ''}" for rule, count in Counter(_rules(moves)).items()]


def _rules(moves: Iterable[tuple[str, str]]) -> Iterable[str]:
    for old, new in moves:
        if not new:
            yield f"left out, as it never runs, '{bare(old).partition('.')[0]}':"
        elif new in (MEAN, STD):
            yield f"'{old}' read as '{new}':"
        else:
            before, after = old.split("."), new.split(".")
            while before and after and before[-1] == after[-1]:
                before.pop()
                after.pop()
            if before:
                yield f"prefix '{'.'.join(before)}.' removed from"
            if after:
                yield f"prefix '{'.'.join(after)}.' added to"
