# SPDX-License-Identifier: Apache-2.0
"""Check that an image is a single three-dimensional volume, finite inside the head."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform

from .intensity_range import intensity_range

__all__ = ["CheckVolumed", "check_affine", "check_volume"]

SMALLEST_CONDITION = 1e-6
"""Ratio of singular values below which an affine counts as singular; no scanner comes near it."""
VOXEL_MM, WIDEST_MM = (0.02, 100.0), 2000.0
"""Sizes of voxels, and the largest extent of a volume, beyond which its unit of length must be wrong."""


def check_volume(volume: torch.Tensor, affine: torch.Tensor, min_size: int = 16) -> None:
    """Raise unless the volume can be restored.

    Args:
        volume: volume with its channel first, ``(1, H, W, D)``.
        affine: matrix from voxel indices to millimetres, ``(4, 4)``.
        min_size: smallest number of voxels along an axis.

    Raises:
        ValueError: the volume has another number of axes or channels, too short an axis, NaN or infinite voxels inside
            the head, a single value everywhere, an affine whose axes do not span three directions, or voxels of a size
            that none have.
    """
    shape = tuple(volume.shape[1:])
    if volume.ndim != 4:
        raise ValueError(f"the image has {volume.ndim - 1} axes {shape}: give one three-dimensional volume per file.")
    if volume.shape[0] != 1:
        raise ValueError(
            f"the image is four-dimensional, {volume.shape[0]} volumes or colours of {shape}: give one volume per file."
        )
    if min(shape) < min_size:
        raise ValueError(f"the volume is {shape}: at least {min_size} voxels along each axis are needed.")
    check_affine(np.asarray(affine, dtype=np.float64))
    _check_size(shape, np.linalg.norm(np.asarray(affine, dtype=np.float64)[:3, :3], axis=0))
    finite = torch.isfinite(volume)
    values = volume
    if not finite.any():
        raise ValueError("every voxel is NaN or infinite: there is nothing to restore.")
    if not finite.all():  # around the head they are background
        intensity_range(volume[0].numpy())
        values = volume[finite]
    lowest, highest = (float(value) for value in torch.aminmax(values))
    if lowest == highest:
        raise ValueError(f"the volume is constant, every voxel is {lowest:g}: there is nothing to restore.")


def check_affine(affine: np.ndarray) -> None:
    """Raise unless an affine is finite and invertible.

    Args:
        affine: matrix from voxel indices to millimetres, ``(4, 4)``.

    Raises:
        ValueError: it is not.
    """
    if not np.isfinite(affine).all():
        raise ValueError("the affine has values that are NaN or infinite: correct the header first.")
    scales = np.linalg.svd(affine[:3, :3], compute_uv=False)
    if not scales[-1] > SMALLEST_CONDITION * scales[0]:
        raise ValueError("the affine is singular, its axes do not span three directions: correct the header first.")


def _check_size(shape: tuple[int, ...], spacing_mm: np.ndarray) -> None:
    extent = float((spacing_mm * shape).max())
    if spacing_mm.min() < VOXEL_MM[0] or spacing_mm.max() > VOXEL_MM[1] or extent > WIDEST_MM:
        sizes = " x ".join(f"{size:.3g}" for size in spacing_mm)
        raise ValueError(
            f"its voxels are {sizes} mm, it is up to {extent:.3g} mm wide: {VOXEL_MM[0]:g} to {VOXEL_MM[1]:g} mm and "
            f"{WIDEST_MM:g} mm are possible. Is the unit of its header right (xyzt_units)?"
        )


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
