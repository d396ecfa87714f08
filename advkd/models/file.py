"""A network with weights from a file: of this toolkit, of a run, or of other training code."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor, nn

from advkd.errors import AdvkdError, error
from advkd.files import expanded
from advkd.models.matching import MEAN, STD, matched, rules
from advkd.networks import weights
from advkd.protocols import ModelSource
from advkd.registry import entries, split_name
from advkd.types import Shape

OPTIONAL = ("num_batches_tracked", MEAN, STD)
"""What older PyTorch and files without normalisation do not hold; the new network's own is kept."""

T = TypeVar("T")

REMEDY = "choose the model, width and depth the weights were made with"


@dataclass(frozen=True, kw_only=True)
class File:
    """The network saved at `path`: a safetensors or PyTorch file, or the folder of a run.

    Files of this toolkit say which model they hold; for others, and to overrule, give `model`. Names
    are matched strictly; every renaming and every weight left out is reported once. A file that holds a
    mean and std keeps them.
    """

    path: str
    model: ModelSource | None = None

    @property
    def place(self) -> Path:
        """The file itself: in the folder of a run that of its best student."""
        path = expanded(self.path)
        return path / "student.safetensors" if path.is_dir() else path

    def __call__(self, classes: int, shape: Shape) -> nn.Module:
        """The network for images of `shape` (C,H,W), with the weights of the file."""
        path = self.place
        state, about = weights.read(path, "file.path")
        if about.get("classes", classes) != classes:
            raise other_classes(path, about["classes"], classes)
        trained = tuple(about.get("shape", shape))
        if trained[0] != shape[0]:
            problem = f"the model was trained on {trained[0]} channels, the data has {shape[0]}"
            raise error("file.path", problem, given=path, remedy="choose data or weights that fit")
        net = self._source(about, path)(classes, shape)
        load(net, state, classes, path)
        return net

    def _source(self, about: Mapping[str, Any], path: Path) -> ModelSource:
        if self.model is not None:
            return self.model
        if "model" not in about:
            raise error(
                "file.model",
                "the file does not say which model its weights belong to",
                given=path,
                remedy="name it: teacher.model=NAME, student.model=NAME, model=NAME for what eval judges "
                "(advkd list models), or make the network in Python and hand its load_state_dict what the "
                "file holds",
            )
        from advkd.config.build import member

        # weights of the file replace the pretrained ones: nothing needs to be fetched
        written = about["model"]
        if isinstance(written, Mapping):
            written = {key: value for key, value in written.items() if key != "pretrained"}
        name = str(written["use"] if isinstance(written, Mapping) else written)
        if split_name(name)[0] not in entries("models"):
            remedy = "load=FILE.py, the file that defines it (in Python: import it), or install its package"
            raise error("file.model", f"its model {name} is not known here", given=path, remedy=remedy)
        source: ModelSource = member("models", written, "teacher.model")[0]
        return source


def saved(source: T) -> T | File:
    """The file behind the source of a network, where it knows one; raises where it cannot be had."""
    known: Callable[[], File] | None = getattr(source, "saved", None)
    return source if known is None else known()


def file_of(source: object) -> File | None:
    """The file behind the source of a network; None where there is none."""
    try:
        source = saved(source)
    except AdvkdError:
        return None
    return source if isinstance(source, File) and source.place.exists() else None


def load(net: nn.Module, state: Mapping[str, Tensor], classes: int, path: Path) -> None:
    """Puts `state` into `net`, names matched; an `AdvkdError` where names or shapes do not fit."""
    renamed, moves = matched(state, net)
    own = net.state_dict()
    told = rules(moves)
    if {MEAN, STD} & (own.keys() - renamed.keys()):
        told.append(f"holds no mean and std: {_normalisation(own)} kept")
    elif {MEAN, STD} <= own.keys() and _normalisation(own) != _normalisation(renamed):
        told.append(f"keeps the mean and std it holds: {_normalisation(renamed)}, not {_normalisation(own)}")
    for rule in told:
        logging.getLogger("advkd").info("%s: %s", path.name, rule)
    missing = [key for key in own if key not in renamed and not key.endswith(OPTIONAL)]
    unexpected = [key for key in renamed if key not in own]
    if missing or unexpected:
        names = "; ".join(
            f"{what}: {', '.join(keys[:5])}{f' and {len(keys) - 5} more' if len(keys) > 5 else ''}"
            for what, keys in (("missing", missing), ("unexpected", unexpected))
            if keys
        )
        raise error("file.path", f"the names of the weights do not match; {names}", given=path, remedy=REMEDY)
    check_shapes(renamed, own, classes, path)
    net.load_state_dict({**own, **renamed})


def _normalisation(state: Mapping[str, Tensor]) -> str:
    return ", ".join(str([round(value, 4) for value in state[key].flatten().tolist()]) for key in (MEAN, STD))


def check_shapes(state: Mapping[str, Tensor], own: Mapping[str, Tensor], classes: int, path: Path) -> None:
    """Raises where a tensor has another shape; says so plainly where only the classes differ."""
    wrong = [key for key, value in own.items() if key in state and state[key].shape != value.shape]
    if not wrong:
        return
    layers = {key.rpartition(".")[0] for key in wrong}
    if len(layers) == 1 and all(len(own[key]) == classes for key in wrong):
        raise other_classes(path, len(state[wrong[0]]), classes)
    first = wrong[0]
    problem = (
        f"shapes differ: {first} is {tuple(state[first].shape)}, the model has {tuple(own[first].shape)}"
    )
    more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    raise error("file.path", problem + more, given=path, remedy=REMEDY)


def other_classes(path: Path, trained: int, classes: int) -> AdvkdError:
    """The error of a network with another number of classes than the data."""
    problem = f"the model was trained for {trained} classes, the data has {classes}"
    return error("file.path", problem, given=path, remedy="choose data or weights that fit")
