# SPDX-License-Identifier: Apache-2.0
"""Examination of an image of a cohort: whether it is usable, its brain, and the statistic of each slice."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import nibabel as nib
import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import Orientation
from numpy.typing import NDArray

from ..anatomy.brain_mask import brain_from_labels, estimate_brain
from ..files.atomic import replacing
from ..files.errors import failure_reason
from ..transforms.check_volume import CheckVolumed
from ..transforms.load_volume import LoadVolumed
from .image_folder import ImageFile
from .slice_selection import slice_statistic

__all__ = ["ExaminedImage", "examine", "load_head"]

SAME_GRID_MM = 0.05
"""Largest difference of the affines of a head and its mask on the same grid, for headers are rounded."""


@dataclass(frozen=True)
class ExaminedImage:
    """Findings about an image."""

    image: ImageFile
    mask: Path | None
    """Brain mask on the image's grid, given or computed; ``None`` if the rule needs none."""
    estimated: bool
    """Whether the mask was estimated from the image, without labels."""
    shape: tuple[int, ...]
    """Size in the plane's orientation: rows, columns, slices."""
    spacing_mm: tuple[float, ...]
    """Voxel size, in the same order."""
    statistic: NDArray[np.float64]
    """Statistic of the selection rule for each slice."""
    sha256: str


def examine(image: ImageFile, axcodes: str, rule: str, mask_file: Path) -> ExaminedImage:
    """Read an image, find its brain where the selection rule needs it, and measure its slices.

    The brain is the given mask, else the closed and filled labels, else estimated from the image.

    Args:
        image: image with its label or mask, if it has one.
        axcodes: orientation of the plane, for example ``"IPR"``.
        rule: selection rule, see :mod:`scripts.data.slice_selection`.
        mask_file: file to write the brain mask to (``.nii.gz``) if it has to be computed.

    Returns:
        The findings.

    Raises:
        ValueError: the image, or its label or mask, is unusable; the message gives the reason in one line.
    """
    try:
        volume = load_head(image.path)
        CheckVolumed(keys="image")({"image": volume})
        orient = Orientation(axcodes=axcodes, labels=None)
        oriented = cast(MetaTensor, orient(volume))
        spacing_mm = tuple(round(float(size), 4) for size in oriented.pixdim)
        mask, brain, estimated = image.mask, None, False
        if rule == "brain":
            brain, estimated = _brain(image, volume)
            mask = image.mask or _write_mask(brain, mask_file)
        statistic = slice_statistic(
            oriented.numpy()[0],
            rule,
            spacing_mm[0] * spacing_mm[1],
            None if brain is None else orient(brain).numpy()[0],
        )
        digest = hashlib.sha256(image.path.read_bytes()).hexdigest()
    except Exception as error:  # readers raise what they like: one line for the list of left-out files
        raise ValueError(failure_reason(error)) from error
    return ExaminedImage(image, mask, estimated, tuple(oriented.shape[1:]), spacing_mm, statistic, digest)


def load_head(path: Path) -> MetaTensor:
    """Load the volume ``(1, X, Y, Z)`` of a file."""
    return LoadVolumed(keys="image")({"image": str(path)})["image"]


def _brain(image: ImageFile, volume: MetaTensor) -> tuple[MetaTensor, bool]:
    """Brain mask on the grid of ``volume``, bool, and whether it is an estimate."""
    source = image.mask or image.label
    if source is None:
        return estimate_brain(volume), True
    given = load_head(source)
    if given.shape != volume.shape or (given.affine - volume.affine).abs().max() > SAME_GRID_MM:
        raise ValueError(
            f"its {'mask' if image.mask else 'label file'} {source.name} is on another grid, "
            f"{tuple(given.shape[1:])} instead of {tuple(volume.shape[1:])}, or has another affine: resample it."
        )
    inside = given.as_tensor() > 0.5
    if not inside.any():
        raise ValueError(f"{source.name} has no voxel above 0, so it shows no brain.")
    if not image.mask:
        inside = torch.from_numpy(brain_from_labels(given.numpy()[0], given.pixdim.tolist()))[None]
    return MetaTensor(inside, affine=volume.affine), False


def _write_mask(brain: MetaTensor, file: Path) -> Path:
    """Write a mask as NIfTI of bytes, by rename."""
    image = nib.Nifti1Image(brain.numpy()[0].astype(np.uint8), np.asarray(brain.affine, dtype=np.float64))
    with replacing(file) as partial:
        nib.save(image, partial)
    return file
