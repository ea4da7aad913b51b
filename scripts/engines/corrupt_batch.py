# SPDX-License-Identifier: Apache-2.0
"""From a batch of clean slices to (damaged input, clean target), on the device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import Tensor

__all__ = ["CorruptBatch"]


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
