# SPDX-License-Identifier: Apache-2.0
"""Batches whose images come with attributes, for the networks with a structured latent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from .corrupt_batch import CorruptBatch

__all__ = ["AttributeBatch"]


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
