# SPDX-License-Identifier: Apache-2.0
"""From a batch of clean slices to (damaged input, clean target), on the device.

FOLDED: Batches whose images come with attributes, for the networks with a structured latent.
FOLDED: Batches of images and their masks, for segmentation and for networks that look at both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import Tensor

__all__ = ["AttributeBatch", "CorruptBatch", "LabelBatch"]


class CorruptBatch:
    """``prepare_batch`` for MONAI's trainer and evaluator: damages whole batches where they are computed on.

    As a handler of the trainer it follows the epochs, so that a slice is damaged anew in each; without, the epoch stays
    at 0 and the damage is the same each time, as validation needs it.

    Args:
        corruption: called as ``corruption(images, keys)``; ``None`` leaves the images clean.
    """

    def __init__(self, corruption: Callable[[Tensor, Mapping[str, Tensor | int]], Tensor] | None) -> None:
        self.corruption = corruption
        self.epoch = 0

    def attach(self, engine: Engine) -> None:
        """Follow the epochs of ``engine``."""
        engine.add_event_handler(Events.EPOCH_STARTED, self._follow)

    def _follow(self, engine: Engine) -> None:
        self.epoch = engine.state.epoch

    def __call__(
        self, batchdata: Mapping[str, Tensor], device: torch.device, non_blocking: bool = False, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Damaged and clean images, both ``(B, 1, H, W)``, channels last on ``device``."""
        clean = batchdata["image"].to(device=device, non_blocking=non_blocking, **kwargs)
        if self.corruption is None:
            return clean, clean
        keys = {name: batchdata[name].to(device, non_blocking=non_blocking) for name in ("subject", "slice")}
        return self.corruption(clean, {**keys, "epoch": self.epoch}), clean


class AttributeBatch(CorruptBatch):
    """``prepare_batch`` that hands the batch's ``attributes`` to the network beside its image.

    MONAI's engines call the network as ``network(image, attributes=...)``, and a network of
    :mod:`scripts.networks.latent` keeps them for the loss. Else as :class:`~scripts.engines.CorruptBatch`.

    Args:
        corruption: see :class:`~scripts.engines.CorruptBatch`.
    """

    def __call__(  # type: ignore[override]
        self, batchdata: Mapping[str, Tensor], device: torch.device, non_blocking: bool = False, **kwargs: Any
    ) -> tuple[Tensor, Tensor, tuple[()], dict[str, Tensor]]:
        """Input and target ``(B, C, H, W)``, no further arguments, and ``attributes`` ``(B, L)``."""
        image, target = super().__call__(batchdata, device, non_blocking, **kwargs)
        attributes = batchdata["attributes"].to(device=device, non_blocking=non_blocking)
        return image, target, (), {"attributes": attributes}


class LabelBatch(CorruptBatch):
    """``prepare_batch`` whose target is the batch's ``label``; its input is the image, damaged as asked.

    Args:
        corruption: of the image, see :class:`~scripts.engines.CorruptBatch`.
        show_label: hand the label to the network as well, which MONAI's engines then call as
            ``network(image, mask=label)``.
    """

    def __init__(
        self, corruption: Callable[[Tensor, Mapping[str, Tensor | int]], Tensor] | None, show_label: bool = False
    ) -> None:
        super().__init__(corruption)
        self.show_label = show_label

    def __call__(  # type: ignore[override]
        self, batchdata: Mapping[str, Tensor], device: torch.device, non_blocking: bool = False, **kwargs: Any
    ) -> tuple[Tensor, Tensor, tuple[()], dict[str, Tensor]]:
        """Image ``(B, 1, H, W)``, label ``(B, C, H, W)``, no further arguments, and ``mask`` where it is shown."""
        image, _ = super().__call__(batchdata, device, non_blocking, **kwargs)
        label = batchdata["label"].to(device=device, non_blocking=non_blocking)
        return image, label, (), {"mask": label} if self.show_label else {}
