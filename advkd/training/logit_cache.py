"""Clean answers of frozen networks, asked for once where no augmentation changes the images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from advkd.data.images import Images
from advkd.networks.modes import device_of, logits_of


class Remembered:
    """Logits of `nets` on all training images, each network's computed in one pass when first wanted.

    The pass has an order of its own, so a resumed run remembers the same bits.
    """

    def __init__(self, nets: Mapping[str, nn.Module], images: Images, batch_size: int) -> None:
        self._nets, self._images, self._batch_size = nets, images, batch_size
        self._tables: dict[str, Tensor] = {}

    def __call__(self, net: str, rows: Tensor) -> Tensor | None:
        """Logits (B,N) of the images at `rows` (B,); None for a network that is still learning."""
        if net not in self._nets:
            return None
        self.recall([net])
        table = self._tables[net]
        return table[rows.to(table.device)]

    @property
    def names(self) -> list[str]:
        """The networks that were asked."""
        return list(self._tables)

    def recall(self, nets: Iterable[str]) -> None:
        """Asks those of `nets` that were not asked."""
        for net in nets:
            if net not in self._tables:
                self._tables[net] = self._asked(self._nets[net])

    def _asked(self, net: nn.Module) -> Tensor:
        device = device_of(net)
        parts = torch.split(torch.arange(len(self._images)), self._batch_size)
        return torch.cat([logits_of(net, self._images.batch(part).x.to(device)) for part in parts])
