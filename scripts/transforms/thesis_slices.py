# SPDX-License-Identifier: Apache-2.0
"""Preprocessing of the thesis: an 8-bit picture of each slice, resized and scaled again."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from monai.config import KeysCollection
from monai.transforms import MapTransform
from torch import Tensor

from ..corruptions.min_max import rescale_min_max

__all__ = ["ThesisSlicesd", "thesis_slices"]


def thesis_slices(slices: Tensor, size: int = 128) -> Tensor:
    """Prepare slices as network inputs, as the thesis does.

    ``plt.imsave(cmap="gray")`` scales each slice to its own minimum and maximum and stores 8 bits; TensorFlow reads
    them as n/255, resizes bilinearly without antialiasing and scales to minimum and maximum again.

    Args:
        slices: shape ``(B, 1, H, W)``, any scale.
        size: side of the square result in pixels.

    Returns:
        Values in ``[0, 1]``, shape ``(B, 1, size, size)``.
    """
    bins = (rescale_min_max(slices.float()) * 256).floor()  # matplotlib's colour map has 256
    eight_bit = bins.clamp(max=255) / 255
    resized = F.interpolate(eight_bit, size=(size, size), mode="bilinear", align_corners=False, antialias=False)
    return rescale_min_max(resized)


class ThesisSlicesd(MapTransform):
    """:func:`thesis_slices` of all slices along the last axis of a volume. Not invertible: each slice loses its scale.

    Args:
        keys: volumes of shape ``(1, H, W, D)``; they become ``(1, size, size, D)``.
        size: side of the square slices in pixels.
        allow_missing_keys: skip a key that is absent.
    """

    def __init__(self, keys: KeysCollection, size: int = 128, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.size = size

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Transform the volumes under ``keys``."""
        result = dict(data)
        for key in self.key_iterator(result):
            volume = torch.as_tensor(result[key]).as_subclass(Tensor)
            result[key] = thesis_slices(volume.permute(3, 0, 1, 2), self.size).permute(1, 2, 3, 0)
        return result
