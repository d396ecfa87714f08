"""A network of the RobustBench leaderboards by its name (`robustbench`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from torch import nn

from advkd.errors import AdvkdError, error, unknown
from advkd.networks import weights
from advkd.types import Shape
from advkd_plugins.robustbench.checksum import checked, recorded

DATASETS = {10: "cifar10", 100: "cifar100", 1000: "imagenet"}
PLACE = "robustbench.name"


@dataclass(frozen=True, kw_only=True)
class RobustBench:
    """The leaderboard entry `name` with its published weights, fetched on first use into `folder`.

    `dataset` follows from the class count when `auto`. The SHA-256 of what was fetched is recorded beside
    it and must stay the same; `sha256` is one known beforehand. The package is an extra of its own, because
    it pins timm: `pip install 'advkd[robustbench]'`. Its checkpoints are pickles, read by RobustBench itself.

    Source: Croce et al., NeurIPS 2021 Datasets and Benchmarks (arXiv 2010.09670).
    """

    name: str
    dataset: Literal["auto", "cifar10", "cifar100", "imagenet"] = "auto"
    threat_model: Literal["Linf", "L2", "corruptions"] = "Linf"
    folder: str = "models"
    sha256: str | None = None

    def __call__(self, classes: int, shape: Shape) -> nn.Module:
        """The network, in eval mode: pixels in [0,1] to logits."""
        load_model, zoo = _package()
        dataset = self._dataset(classes, shape)
        self._listed(zoo, dataset)
        base = Path(self.folder).expanduser() / dataset / self.threat_model / f"{self.name}.pt"
        before = _files(base)
        for file in before:
            weights.head(file, PLACE)
            checked(file, self.sha256)
        try:
            net: nn.Module = load_model(
                self.name,
                model_dir=str(Path(self.folder).expanduser()),
                dataset=dataset,
                threat_model=self.threat_model,
            )
        # the download, its transport and unpickling each raise exceptions of their own
        except Exception as cause:
            raise _unloaded(base, cause) from cause
        files = _files(base)
        if self.sha256 is not None and len(files) != 1:
            problem = f"is the checksum of one file, this model has {len(files)}"
            raise error("robustbench.sha256", problem, given=self.sha256, remedy="leave it out")
        for file in files:
            if file not in before:
                checked(file, self.sha256)
            recorded(file)
        return net.eval()

    def _dataset(self, classes: int, shape: Shape) -> str:
        own = DATASETS.get(classes)
        if own is None or self.dataset not in ("auto", own):
            remedy = "it covers CIFAR-10, CIFAR-100 and ImageNet"
            asked = "" if self.dataset == "auto" else f" and dataset={self.dataset}"
            raise error("robustbench.dataset", f"has no data set of {classes} classes{asked}", remedy=remedy)
        if shape[0] != 3 or (own != "imagenet" and shape[1:] != (32, 32)):
            size = "3 channels" if own == "imagenet" else "3x32x32"
            given = "x".join(str(side) for side in shape)
            problem = f"its {own} networks take images of {size}"
            raise error("robustbench.dataset", problem, given=given, remedy="choose data of that size")
        return own

    def _listed(self, zoo: Any, dataset: str) -> None:
        """Raises unless the leaderboard of the data set and threat holds the name."""
        boards = {
            (data.value, threat.value): names for data, by in zoo.items() for threat, names in by.items()
        }
        known = boards.get((dataset, self.threat_model), {})
        if self.name in known:
            return
        homes = [f"dataset={d} threat_model={t}" for (d, t), names in boards.items() if self.name in names]
        if homes:
            problem = f"is not on the leaderboard of {dataset}, {self.threat_model}"
            raise error(PLACE, problem, given=self.name, remedy=f"it is on that of {' and '.join(homes)}")
        raise AdvkdError(unknown(PLACE, f"{dataset} {self.threat_model} model", self.name, known))


def _package() -> tuple[Any, Any]:
    """RobustBench's loader, and its names by data set and threat."""
    try:
        from robustbench.model_zoo.models import model_dicts
        from robustbench.utils import load_model
    except ImportError as cause:
        remedy = "pip install 'advkd[robustbench]'"
        raise error("robustbench", f"cannot be imported: {cause}", remedy=remedy) from cause
    return load_model, model_dicts


def _files(base: Path) -> list[Path]:
    """What has been fetched of a model: one file, one per member of an ensemble, none for timm's own."""
    return [file for file in [base, *sorted(base.parent.glob(f"{base.name}_m*.pt"))] if file.is_file()]


def _unloaded(base: Path, cause: Exception) -> AdvkdError:
    said = f"{type(cause).__name__}: {cause}"
    files = _files(base)
    if not files:
        remedy = f"connect once, or download it by hand from the leaderboard's link to {base}"
        return error(PLACE, f"cannot be fetched: {said}", given=base.stem, remedy=remedy)
    try:
        for file in files:
            weights.read(file, PLACE)
    except AdvkdError as found:
        return found
    remedy = "the file holds weights, of another model or version: remove it, or update robustbench"
    return error(PLACE, f"cannot be loaded: {said}", given=files[0], remedy=remedy)
