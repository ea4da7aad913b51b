# SPDX-License-Identifier: Apache-2.0
"""Look at one image of a cohort: is it usable, where is the brain, what does each slice hold."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from monai.data import MetaTensor
from monai.transforms import LoadImage
from nibabel.orientations import apply_orientation, axcodes2ornt, io_orientation, ornt_transform
from numpy.typing import NDArray

from .brain_mask import brain_from_labels
from .image_folder import ImageFile
from .slice_selection import slice_statistic

__all__ = ["ExaminedImage", "examine"]


@dataclass(frozen=True)
class ExaminedImage:
    """What is recorded of one image."""

    image: ImageFile
    mask: Path | None
    """Brain mask on the image's grid: the given one, or the one that was made."""
    shape: tuple[int, ...]
    """Size in the plane's orientation: rows, columns, slices."""
    spacing_mm: tuple[float, ...]
    """Voxel size, in the same order."""
    statistic: NDArray[np.float64]
    """The selection rule's number for each slice."""
    sha256: str


def examine(image: ImageFile, axcodes: str, rule: str, mask_file: Path) -> ExaminedImage:
    """Read an image, find its brain where the selection rule needs it, and measure its slices.

    Args:
        image: the image with its label or mask, where it has one.
        axcodes: orientation of the plane, for example ``"IPR"``.
        rule: selection rule, see :mod:`scripts.data.slice_selection`.
        mask_file: where the brain mask goes if it has to be made.

    Returns:
        What was found.

    Raises:
        ValueError: the image, or its label or mask, cannot be used.
        OSError: a file cannot be read.
    """
    volume, affine = _read(image.path)
    spacing = nib.affines.voxel_sizes(affine)
    orientation = ornt_transform(io_orientation(affine), axcodes2ornt(axcodes))
    axes = np.argsort(orientation[:, 0])
    spacing_mm = tuple(round(float(spacing[axis]), 4) for axis in axes)
    mask, brain = image.mask, None
    if rule == "brain":
        brain, given = _brain(image, volume, affine, spacing)
        if not given:
            mask = _write_mask(brain, affine, mask_file)
        brain = apply_orientation(brain, orientation)
    oriented = apply_orientation(volume, orientation)
    return ExaminedImage(
        image=image,
        mask=mask,
        shape=tuple(oriented.shape),
        spacing_mm=spacing_mm,
        statistic=slice_statistic(oriented, rule, spacing_mm[0] * spacing_mm[1], brain),
        sha256=hashlib.sha256(image.path.read_bytes()).hexdigest(),
    )


def _read(path: Path) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Array and affine of a usable 3-D image."""
    try:
        loaded = LoadImage(image_only=True)(path)
    except Exception as error:  # readers raise anything on a broken file
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(f"it cannot be read: {reason}") from error
    if not isinstance(loaded, MetaTensor) or loaded.ndim != 3:
        raise ValueError(f"it must be a 3-D image, got shape {tuple(loaded.shape)}")
    volume = np.asarray(loaded.array, dtype=np.float32)
    affine = np.asarray(loaded.affine, dtype=np.float64)
    if min(volume.shape) < 16:
        raise ValueError(f"it must have at least 16 voxels along each axis, got shape {volume.shape}")
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-6:
        raise ValueError("its affine is singular, so that its orientation is unknown")
    return volume, affine


def _check_intensities(volume: NDArray[np.float32]) -> None:
    if not np.isfinite(volume).all():
        raise ValueError("it has NaN or infinite intensities")
    if volume.min() == volume.max():
        raise ValueError(f"it is constant, all intensities are {volume.flat[0]:g}")


def _brain(
    image: ImageFile, volume: NDArray[np.float32], affine: NDArray[np.float64], spacing: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], bool]:
    """Brain mask on the image's grid, and whether it was given as a file."""
    _check_intensities(volume)
    source = image.mask or image.label
    if source is None:
        raise ValueError("it has neither label nor mask")
    given, given_affine = _read(source)
    if given.shape != volume.shape or not np.allclose(given_affine, affine, atol=1e-2):
        raise ValueError(f"{source} is not on the image's grid: shape {given.shape}, the image has {volume.shape}")
    if image.mask is not None:
        return given > 0.5, True
    return brain_from_labels(given, tuple(spacing)), False


def _write_mask(brain: NDArray[np.bool_], affine: NDArray[np.float64], file: Path) -> Path:
    """Write a mask as NIfTI, by rename."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".partial-{file.name}")
    nib.save(nib.Nifti1Image(brain.astype(np.uint8), affine), partial)
    partial.replace(file)
    return file
