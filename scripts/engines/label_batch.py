# SPDX-License-Identifier: Apache-2.0
"""Batches of images and their masks, for segmentation and for networks that look at both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from .corrupt_batch import CorruptBatch

__all__ = ["LabelBatch"]


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
