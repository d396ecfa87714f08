"""What an audit has found so far: one bit per example and attack, kept on disk as it grows."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from glob import escape
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from advkd.auditing.marks import Mark
from advkd.errors import error
from advkd.files import write_arrays
from advkd.networks import weights
from advkd.protocols import Memo
from advkd.training.folder import CODE, EXAMPLES

PARTIAL = "partial"
ARRAYS = ("tried", "right", "distance")
COSTS = ("seconds", "forwards", "backwards")
WAYS = {"bf16": "searched in bf16", "compiled": "compiled"}

Key = tuple[str, str]
"""Whose outcome, under what attack."""


@dataclass
class LedgerEntry:
    """One attack on one network, over all n examples; `right` and `distance` speak where `tried`.

    `silent` counts images that were misclassified on the way and right at the end of the attack, `again`
    those that fooled the fast twin alone and were attacked again in float32. `refused` says why it searched
    the network itself where there should have been a twin.
    """

    tried: Tensor
    right: Tensor
    distance: Tensor
    seconds: float = 0.0
    forwards: int = 0
    backwards: int = 0
    silent: int = 0
    again: int = 0
    notes: list[str] = field(default_factory=list)
    refused: str = ""
    done: bool = False

    @property
    def broken(self) -> Tensor:
        """(n,) bool: attacked with success."""
        return self.tried & ~self.right

    @property
    def about(self) -> dict[str, Any]:
        """Everything but the arrays."""
        return {key: value for key, value in vars(self).items() if key not in ARRAYS}


Progress = Callable[[str, str, LedgerEntry], None]
"""Is told of an attack that has ended: on which network, its name, its entry."""


class Ledger:
    """The entries of an audit of `n` examples; with a folder, every `save` survives a kill.

    An audit that goes on keeps the engine it was begun with, unless `asked` names another: an error.
    """

    def __init__(
        self,
        n: int,
        about: Mapping[str, Any],
        folder: Path | None = None,
        asked: Mapping[str, bool] = MappingProxyType({}),
    ) -> None:
        self.n, self.about, self.folder = n, dict(about), folder
        self.entries: dict[Key, LedgerEntry] = {}
        self._images: dict[str, NDArray[np.float32]] = {}
        if folder is not None and (folder / EXAMPLES).exists():
            self._read(folder / EXAMPLES, asked)
        elif folder is not None:
            # without examples.npz nothing says which network these belong to
            for path in (folder / PARTIAL).glob("*.safetensors"):
                path.unlink()

    def entry(self, who: str, name: str) -> LedgerEntry:
        """The entry of one attack on one network, new if there is none."""
        empty = torch.zeros(self.n, dtype=torch.bool)
        fresh = LedgerEntry(empty, empty.clone(), torch.full((self.n,), torch.nan))
        return self.entries.setdefault((who, name), fresh)

    def of(self, who: str) -> dict[str, LedgerEntry]:
        """The entries of one network by attack."""
        return {name: entry for (owner, name), entry in self.entries.items() if owner == who}

    @property
    def spent(self) -> dict[str, float]:
        """What all attacks together have cost."""
        totals = {key: sum(getattr(e, key) for e in self.entries.values()) for key in COSTS}
        return totals | {"seconds": round(totals["seconds"], 3)}

    def save(self, images: Mapping[Key, Tensor] | None = None) -> None:
        """Writes everything so far, whole or not at all."""
        if self.folder is None:
            return
        arrays: dict[str, Any] = {}
        for (who, name), entry in self.entries.items():
            arrays[f"{who}.{name}"] = entry.right.numpy()
            arrays[f"{who}.{name}.tried"] = entry.tried.numpy()
            arrays[f"{who}.{name}.distance"] = entry.distance.numpy()
        for (who, name), x in (images or {}).items():
            self._images[f"{who}.{name}.images"] = x.numpy()
        arrays |= self._images
        about = [[*key, entry.about] for key, entry in self.entries.items()]
        arrays["about"] = np.array(json.dumps({**self.about, "entries": about}))
        write_arrays(self.folder / EXAMPLES, arrays)

    def _read(self, path: Path, asked: Mapping[str, bool]) -> None:
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                about = json.loads(str(file["about"]))
                listed = about.pop("entries")
                for who, name, rest in listed:
                    ends = {"tried": ".tried", "right": "", "distance": ".distance"}
                    arrays = {k: torch.from_numpy(file[f"{who}.{name}{end}"]) for k, end in ends.items()}
                    self.entries[who, name] = LedgerEntry(**(rest | arrays))
                self._images = {key: file[key] for key in file.files if key.endswith(".images")}
        # numpy and zipfile raise each their own on a file that is cut short
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as cause:
            raise error(
                EXAMPLES,
                "is cut short, or was not written by an audit",
                given=path,
                remedy="remove it to begin again, or choose another out=DIR",
            ) from cause
        self._same(about, path)
        _as_asked(about["engine"], asked, path)

    def _same(self, written: Mapping[str, Any], path: Path) -> None:
        nets, mine, code = written["nets"], self.about["nets"], self.about.get(CODE)
        differ = {
            # first: marks of networks are answers to these images
            "data": written["images"] != self.about["images"],
            "model": any(
                not Mark.of(mine[who]).fits(Mark.of(nets[who])) for who in mine.keys() & nets.keys()
            ),
            "options": written["plan"] != self.about["plan"],
            # of an audit that was begun without it nothing is known
            "attack code": written.get(CODE, code) != code,
        }
        for what, differs in differ.items():
            if differs:
                raise error(
                    EXAMPLES,
                    f"is from an audit with other {what}" if what != "model" else "is of another model",
                    given=path,
                    remedy="choose another out=DIR; what is there has not been changed",
                )
        # the bits depend on which images share a batch, and on how networks are run
        self.about["batch_size"], self.about["engine"] = written["batch_size"], written["engine"]
        self.about["nets"] = {**nets, **mine}

    def memo(self, who: str, name: str) -> Memo:
        """Tensors of one attack by key, kept on disk until `forget`."""
        folder = self.folder

        def remembered(key: str, compute: Callable[[], Tensor]) -> Tensor:
            if folder is None:
                return compute()
            path = folder / PARTIAL / f"{who}.{name}.{key}.safetensors"
            if path.exists():
                return weights.read(path, EXAMPLES)[0]["x"]
            path.parent.mkdir(exist_ok=True)
            x = compute()
            weights.write(path, {"x": x}, {})
            return x

        return remembered

    def forget(self, who: str, name: str, start: str = "") -> None:
        """Removes the tensors of one attack whose key begins with `start`."""
        some = f"{escape(f'{who}.{name}.{start}')}*"
        for path in (self.folder / PARTIAL).glob(some) if self.folder else ():
            path.unlink(missing_ok=True)

    def join_images(self) -> None:
        """Moves the attacked images of a finished audit into the file of the bits, (tried,C,H,W) each."""
        images = {}
        for key, entry in self.entries.items():
            name = f"{'.'.join(key)}.images"
            parts = sorted((self.folder / PARTIAL).glob(f"{escape(name)}-*")) if self.folder else []
            # where they have been joined, some of the parts may be gone
            joined = len(self._images.get(name, ())) == int(entry.tried.sum())
            if parts and entry.done and not joined:
                images[key] = torch.cat([weights.read(part, EXAMPLES)[0]["x"] for part in parts])
        if images:
            self.save(images)
        for key, entry in self.entries.items():
            if entry.done:
                self.forget(*key)


def _as_asked(engine: Mapping[str, bool], asked: Mapping[str, bool], path: Path) -> None:
    """Refuses an audit that was searched on another engine than is asked for."""
    for key, on in asked.items():
        if engine[key] != on:
            raise error(
                EXAMPLES,
                f"belongs to an audit that was {'' if engine[key] else 'not '}{WAYS[key]}",
                given=f"{path}, asked for {key} {str(on).lower()}",
                remedy="choose another out=DIR, or remove the folder to audit again",
            )
