# SPDX-License-Identifier: Apache-2.0
"""Refuse a volume that the way to the network's pixel size would make too large."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from monai.config import KeysCollection
from monai.data import affine_to_spacing
from monai.transforms import MapTransform

from ..anatomy.planes import seen_voxels
from ..files.checked import MemoryCheck
from .load_volume import MAX_MEMORY

__all__ = ["CheckMemoryd"]


class CheckMemoryd(MapTransform):
    """Check the memory that resampling, splitting and padding of the slices will take; nothing is allocated.

    Args:
        keys: volumes ``(1, H, W, K)``, turned to their plane.
        spacing_mm: pixel size of the network.
        coarsest_mm: pixel size up to which nothing is interpolated.
        multiple: of which height and width become multiples.
        max_memory: gigabytes that restoring a volume may take.
        allow_missing_keys: skip a key that is absent.

    Raises:
        ValueError: the limit is not positive; when applied: a volume takes more.
    """

    def __init__(
        self,
        keys: KeysCollection,
        spacing_mm: float,
        coarsest_mm: float,
        multiple: int = 8,
        max_memory: float = MAX_MEMORY,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.memory = MemoryCheck(max_memory)
        self.spacing_mm, self.coarsest_mm, self.multiple = spacing_mm, coarsest_mm, multiple

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return ``data`` unchanged, or raise."""
        d = dict(data)
        for key in self.key_iterator(d):
            spacing = affine_to_spacing(d[key].affine, 3).tolist()
            seen = seen_voxels(d[key].shape[1:], spacing, self.spacing_mm, self.coarsest_mm, self.multiple)
            shape = " x ".join(map(str, d[key].shape[1:]))
            self.memory(seen, f"a volume of {shape} voxels of {' x '.join(f'{size:.3g}' for size in spacing)} mm")
        return d
