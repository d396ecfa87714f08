"""Names of weights in files of other code, matched to the names of a network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from torch import Tensor, nn

PREFIXES = ("module.", "model.", "net.", "_orig_mod.", "1.")
"""Added by wrappers: several devices, Lightning, this toolkit, torch.compile, a Sequential."""

UNUSED = ("sub_block1.",)
"""In the code of TRADES, a group that is built but never runs."""

STATISTICS = {"mean": "mean", "mu": "mean", "std": "std", "sigma": "std"}
"""How others call what `normalise` holds."""


def matched(state: Mapping[str, Tensor], net: nn.Module) -> tuple[dict[str, Tensor], list[tuple[str, str]]]:
    """`state` under the names of `net`, and what was renamed: (old, new), new empty if left out.

    Wrapper prefixes are ignored on both sides; mean and std may be called otherwise. What fits nothing
    keeps its name.
    """
    own = net.state_dict()
    wanted: dict[str, str] = {}
    for key in own:
        wanted.setdefault(bare(key), key)
    renamed: dict[str, Tensor] = {}
    moves = []
    for old, value in sorted(state.items(), key=lambda item: item[0] not in own):
        new = old if old in own else wanted.get(bare(old)) or statistic(old, value, own)
        if new in renamed:
            new = old
        if new == old and new not in own and bare(old).startswith(UNUSED):
            moves.append((old, ""))
            continue
        if new.endswith(...)
        renamed[new] = value
    return renamed, moves
