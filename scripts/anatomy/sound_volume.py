# SPDX-License-Identifier: Apache-2.0
"""Whether an image is one three-dimensional volume of real numbers, finite inside the head."""

from __future__ import annotations

import math

import nibabel as nib
import numpy as np
from numpy.typing import ArrayLike, NDArray

from .histogram import extent, ordered_sample
from .intensity_range import intensity_range

__all__ = ["check_affine", "check_volume", "check_voxels", "fits_float32", "loses_nothing"]

SMALLEST_CONDITION = 1e-6
"""Ratio of singular values below which an affine counts as singular; no scanner comes near it."""
VOXEL_MM, WIDEST_MM = (0.02, 100.0), 2000.0
"""Sizes of voxels, and the largest extent of a volume, beyond which its unit of length must be wrong."""
COARSEST = 1e-4
"""Largest rounding, as a share of the range of the intensities."""


def check_volume(volume: ArrayLike, affine: ArrayLike, min_size: int = 16) -> None:
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
    volume = np.asarray(volume)
    shape = volume.shape[1:]
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
    finite = np.isfinite(volume)
    values = volume
    if not finite.any():
        raise ValueError("every voxel is NaN or infinite: there is nothing to restore.")
    if not finite.all():  # around the head they are background
        intensity_range(volume[0])
        values = volume[finite]
    lowest, highest = float(values.min()), float(values.max())
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
            f"{WIDEST_MM:g} mm are possible. Is the unit of its header right?"
        )


def check_voxels(image: nib.Nifti1Pair) -> None:
    """Raise unless the voxels are one volume of real numbers, and the affine is one."""
    if image.ndim > 4 and math.prod(image.shape[3:]) > 1:
        raise ValueError(f"the image has {image.ndim} axes {image.shape}: give one three-dimensional volume per file.")
    dtype = image.get_data_dtype()
    if dtype.fields:
        raise ValueError(f"the voxels are colours ({', '.join(dtype.names or ())}): give an image of one channel.")
    if dtype.kind not in "iuf":
        raise ValueError(f"the voxels are of type {dtype}: real numbers are needed.")
    check_affine(image.affine)


def fits_float32(image: nib.Nifti1Pair) -> bool:
    """Whether float32 tells any two stored values apart."""
    dtype = image.get_data_dtype()
    fits = dtype.itemsize <= (4 if dtype.kind == "f" else 2)
    return bool(fits and getattr(image.dataobj, "inter", 0) == 0)


def loses_nothing(volume: NDArray[np.floating]) -> bool:
    """Whether float32 is fine enough for a volume, ``(H, W, D)``: not where it lies on a large offset."""
    ordered, _ = ordered_sample(volume)
    if not len(ordered):
        return True
    lowest, highest = extent(ordered)
    values = ordered.clip(lowest, highest)
    with np.errstate(over="ignore"):
        rounding = np.abs(values.astype(np.float32) - values).max()
    return bool(rounding <= COARSEST * (highest - lowest))
