"""A network of the RobustBench leaderboards by its name (`robustbench`)."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from torch import nn

from advkd.errors import AdvkdError, error, unknown
from advkd.types import Shape

DATASETS = {10: "cifar10", 100: "cifar100", 1000: "imagenet"}


@dataclass(frozen=True, kw_only=True)
class RobustBench:
    """The leaderboard entry `name` with its published weights, fetched on first use into `folder`.

    `dataset` follows from the class count when `auto`. The package is an extra of its own, because it pins
    timm: `pip install 'advkd[robustbench]'`. Its checkpoints are pickles, read by RobustBench itself.

    Source: Croce et al., NeurIPS 2021 Datasets and Benchmarks (arXiv 2010.09670).
    """

    name: str
    dataset: Literal["auto", "cifar10", "cifar100", "imagenet"] = "auto"
    threat_model: Literal["Linf", "L2", "corruptions"] = "Linf"
    folder: str = "models"

    def __call__(self, classes: int, shape: Shape) -> nn.Module:  # noqa: ARG002
        """The network, in eval mode: pixels in [0,1] to logits."""
        dataset = DATASETS.get(classes) if self.dataset == "auto" else self.dataset
        if dataset is None:
            remedy = "its networks know CIFAR-10, CIFAR-100 and ImageNet"
            raise error("robustbench", f"has no data set of {classes} classes", remedy=remedy)
        load_model, known = _package(dataset, self.threat_model)
        if self.name not in known:
            raise AdvkdError(
                unknown("robustbench.name", f"{dataset} {self.threat_model} model", self.name, known)
            )
        file = Path(self.folder) / dataset / self.threat_model / f"{self.name}.pt"
        try:
            net: nn.Module = load_model(
                self.name, model_dir=self.folder, dataset=dataset, threat_model=self.threat_model
            )
        # the download, its transport and unpickling each raise exceptions of their own
        except Exception as cause:
            raise _unloaded(file, cause) from cause
        return net.eval()


def _package(dataset: str, threat_model: str) -> tuple[Any, list[str]]:
    try:
        from robustbench.model_zoo.enums import BenchmarkDataset, ThreatModel
        from robustbench.model_zoo.models import model_dicts
        from robustbench.utils import load_model
    except ImportError as cause:
        remedy = "pip install 'advkd[robustbench]'"
        raise error("robustbench", f"cannot be imported: {cause}", remedy=remedy) from cause
    return load_model, sorted(model_dicts[BenchmarkDataset(dataset)][ThreatModel(threat_model)])


def _unloaded(file: Path, cause: Exception) -> AdvkdError:
    page = file.is_file() and file.open("rb").read(64).lstrip().startswith(b"<")
    if page or isinstance(cause, pickle.UnpicklingError):
        what = "a web page, not a checkpoint" if page else "no checkpoint"
        remedy = "remove the file and download it by hand from the link of the leaderboard"
        return error("robustbench", f"the download returned {what}", given=file, remedy=remedy)
    problem = f"cannot be loaded: {type(cause).__name__}: {cause}"
    remedy = f"connect once, or put the checkpoint at {file}"
    return error("robustbench", problem, given=file, remedy=remedy)
