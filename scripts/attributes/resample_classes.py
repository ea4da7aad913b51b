# SPDX-License-Identifier: Apache-2.0
"""Tissue classes on a coarser or finer grid."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform, SpatialResample
from torch import Tensor

from .tissue import Tissue

__all__ = ["ResampleClassesd"]


class ResampleClassesd(MapTransform):
    """Resample a volume of tissue classes: each voxel takes the class with the largest share in it.

    Shares are linear interpolations of the classes' indicators; at twice the spacing they are exact means. The two
    grids begin at the same edge (not the same voxel centre). MONAI's ``Spacing(scale_extent=True)`` means to do that,
    but shifts a volume whose origin is near zero by a voxel (1.6.1).

    Args:
        keys: tissue classes ``(1, H, W, D)`` with their affine.
        spacing_mm: of the new voxels, along the three axes.
        allow_missing_keys: skip a key that is absent.
    """

    def __init__(self, keys: KeysCollection, spacing_mm: Sequence[float], allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.spacing_mm = torch.tensor(spacing_mm, dtype=torch.float64)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Resample what is under ``keys``."""
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
        moved = SpatialResample(mode="bilinear")(shares, dst_affine=classes.affine @ step, spatial_size=size)
        return moved.argmax(0, keepdim=True).to(torch.uint8)
