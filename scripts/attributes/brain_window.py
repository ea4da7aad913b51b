# SPDX-License-Identifier: Apache-2.0
"""Cut every brain to slices of one size."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from monai.config import KeysCollection
from monai.transforms import MapTransform, ResizeWithPadOrCrop, SpatialCrop, generate_spatial_bounding_box

__all__ = ["CENTRES", "BrainWindowd"]

CENTRES = ("frame", "brain")


class BrainWindowd(MapTransform):
    """Crop a volume of tissue classes to the slices that hold brain, and pad or crop these to one size.

    Args:
        keys: tissue classes ``(1, H, W, D)``, slices along the last axis.
        size: rows and columns.
        centre: what lies in the middle of the slices: "frame", the middle of the volume, or "brain", the middle of the
            brain's bounding box, which takes away where the head lay in the scanner.
        allow_missing_keys: skip a key that is absent.

    Raises:
        ValueError: ``centre`` is unknown; when applied: there is no brain, or it does not fit into ``size``.
    """

    def __init__(
        self, keys: KeysCollection, size: Sequence[int], centre: str = "frame", allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        if centre not in CENTRES:
            raise ValueError(f"centre must be one of {', '.join(CENTRES)}, got {centre!r}.")
        self.size = tuple(size)
        self.centre = centre

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Cut what is under ``keys``."""
        d = dict(data)
        for key in self.key_iterator(d):
            volume = d[key]
            brain_voxels = int((volume > 0).sum())
            if not brain_voxels:
                raise ValueError("there is no brain in this label volume: every voxel is background.")
            start, end = generate_spatial_bounding_box(volume)
            if self.centre == "frame":
                start, end = [0, 0, start[2]], [*volume.shape[1:3], end[2]]
            d[key] = ResizeWithPadOrCrop((*self.size, -1))(SpatialCrop(roi_start=start, roi_end=end)(volume))
            if (lost := brain_voxels - int((d[key] > 0).sum())) > 0:
                raise ValueError(
                    f"{lost} voxels of the brain lie outside slices of {self.size[0]} x {self.size[1]} pixels around "
                    f'the {self.centre}. Give a larger size, or centre="brain".'
                )
        return d
