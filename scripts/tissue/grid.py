# SPDX-License-Identifier: Apache-2.0
"""Volumes of tissue classes on a common grid: resampling, and cropping to the brain."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import (
    MapTransform,
    ResizeWithPadOrCrop,
    SpatialCrop,
    SpatialResample,
    generate_spatial_bounding_box,
)
from torch import Tensor

from .classes import Tissue

__all__ = ["CENTRES", "BrainWindowd", "ResampleClassesd"]

CENTRES = ("frame", "brain")
"""What may lie in the middle of the slices: the middle of the volume, or that of the brain's bounding box."""


class BrainWindowd(MapTransform):
    """Crop a volume of tissue classes to the slices with brain, and pad or crop these to one size.

    Args:
        keys: tissue classes ``(1, H, W, D)``, slices along the last axis.
        size: number of rows and columns.
        centre: centre of the slices: "frame", the middle of the volume, or "brain", the middle of the brain's bounding
            box, which makes the slices independent of the position of the head in the scanner.
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
        """Crop the volumes under ``keys``."""
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
                    f'the {self.centre}. Choose a larger size, or centre="brain".'
                )
        return d


class ResampleClassesd(MapTransform):
    """Resample a volume of tissue classes: each voxel takes the class with the largest share in it.

    Shares are linear interpolations of the classes' indicators; at twice the spacing they are exact means. The two
    grids start at the same edge (not at the same voxel centre). MONAI's ``Spacing(scale_extent=True)`` is meant to do
    that, but shifts a volume whose origin is near zero by a voxel (1.6.1).

    Args:
        keys: tissue classes ``(1, H, W, D)`` with their affine.
        spacing_mm: size of the new voxels along the three axes.
        allow_missing_keys: skip a key that is absent.
    """

    def __init__(self, keys: KeysCollection, spacing_mm: Sequence[float], allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.spacing_mm = torch.tensor(spacing_mm, dtype=torch.float64)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Resample the volumes under ``keys``."""
        d = dict(data)
        for key in self.key_iterator(d):
            d[key] = self._resample(d[key])
        return d

    def _resample(self, classes: MetaTensor) -> Tensor:
        ratio = self.spacing_mm / classes.pixdim
        size = (torch.tensor(classes.shape[1:]) / ratio).round().int().clamp(min=1).tolist()
        step = torch.diag(torch.cat([ratio, torch.ones(1)]))
        step[:3, 3] = (ratio - 1) / 2  # from edge to edge
        shares = torch.cat([classes == tissue for tissue in Tissue]).float()  # (4, H, W, D), a MetaTensor
        resampled = SpatialResample(mode="bilinear")(shares, dst_affine=classes.affine @ step, spatial_size=size)
        return resampled.argmax(0, keepdim=True).to(torch.uint8)
