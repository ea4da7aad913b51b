# SPDX-License-Identifier: Apache-2.0
"""Check that an image is a single three-dimensional volume, finite inside the head."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from monai.config import KeysCollection
from monai.transforms import MapTransform

from ..anatomy.sound_volume import check_volume

__all__ = ["CheckVolumed", "check_volume"]


class CheckVolumed(MapTransform):
    """Dictionary form of :func:`check_volume`; the affine is the ``MetaTensor``'s own.

    Args:
        keys: volumes ``(1, H, W, D)``.
        min_size: smallest number of voxels along an axis.
        allow_missing_keys: skip a key that is absent.
    """

    def __init__(self, keys: KeysCollection, min_size: int = 16, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.min_size = min_size

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return ``data`` unchanged, or raise."""
        d = dict(data)
        for key in self.key_iterator(d):
            volume = d[key].as_tensor() if hasattr(d[key], "as_tensor") else d[key]
            check_volume(volume, d[key].affine, self.min_size)
        return d
