"""Any network of the timm library."""

from __future__ import annotations

import difflib
import functools
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from advkd.errors import AdvkdError, error, unknown
from advkd.models.normalise import pixels
from advkd.types import Real, Shape

log = logging.getLogger("advkd")


@dataclass(frozen=True, kw_only=True)
class Timm:
    """The timm network `name`, behind the mean and std it was published with, unless others are given.

    `pretrained` fetches the published weights, with a new last layer where the classes differ. Networks
    of fixed image size are built for the size of the data where they can be.

    Source: Wightman, PyTorch Image Models, doi 10.5281/zenodo.4414861.
    """

    name: str
    pretrained: bool = False
    mean: tuple[Real, ...] | None = None
    std: tuple[Real, ...] | None = None

    def __call__(self, classes: int, shape: Shape) -> nn.Module:
        """A new network for images of `shape` (C,H,W)."""
        import timm

        # names of other hubs carry a colon and are not listed
        if ":" not in self.name and not timm.is_model(self.name):
            close = difflib.get_close_matches(self.name, timm.list_models(), n=10, cutoff=0.3)
            remedy = "timm.list_models() shows them all"
            raise AdvkdError(unknown("name", "timm model", self.name, close, remedy))
        try:
            net = self._created(classes, shape)
        # the download, its transport and timm each raise exceptions of their own
        except Exception as failure:
            remedy = "write the name as timm lists it"
            if self.pretrained:
                remedy = "connect once to cache the weights, use a file of weights, or pretrained=false"
            what = "cannot fetch the pretrained weights" if self.pretrained else "timm cannot make this model"
            raise error("name", f"{what}: {failure}", given=self.name, remedy=remedy) from failure
        _told_if_coarse(self.name, net, shape)
        known = net.pretrained_cfg
        mean, std = self.mean or fitted(known["mean"], shape[0]), self.std or fitted(known["std"], shape[0])
        return pixels(net, mean, std, shape[0])

    def _created(self, classes: int, shape: Shape) -> Any:
        import timm

        create = functools.partial(
            timm.create_model, self.name, self.pretrained, num_classes=classes, in_chans=shape[0]
        )
        cfg = None if ":" in self.name else timm.get_pretrained_cfg(self.name)
        if cfg is None or not cfg.fixed_input_size:
            return create()
        try:
            return create(img_size=shape[1:])
        except TypeError:
            return create()


def _told_if_coarse(name: str, net: Any, shape: Shape) -> None:
    """Most networks of timm are made for sides of 224: of small images little is left in their last stage."""
    stages = getattr(net, "feature_info", None)
    shrinks = stages[-1].get("reduction", 1) if isinstance(stages, list) and stages else 1
    if min(shape[1:]) < 2 * shrinks:
        size = "x".join(map(str, shape[1:]))
        remedy = "for small images there are resnet18, resnet20 and mobilenetv2, without timm:"
        log.warning("timm:%s shrinks sides %d times, too much for %s; %s", name, shrinks, size, remedy)


def published_classes(name: str) -> int | None:
    """How many classes the published weights of a timm network tell apart; None if it has none."""
    import timm

    cfg = timm.get_pretrained_cfg(name) if timm.is_model(name) else None
    return None if cfg is None else cfg.num_classes


def fitted(values: Sequence[float], channels: int) -> list[float]:
    """Statistics of another channel count: averaged for one channel, repeated in turn for more."""
    if channels == 1:
        return [sum(values) / len(values)]
    return [values[i % len(values)] for i in range(channels)]
