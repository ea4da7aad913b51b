# SPDX-License-Identifier: Apache-2.0
"""Examination of an image of a cohort: whether it is usable, its brain, and the statistic of each slice."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import nibabel as nib
import numpy as np
import torch
import torch.nn.functional as F
from monai.data import MetaTensor
from monai.transforms import Orientation
from numpy.typing import NDArray

from ..anatomy.brain_mask import estimate_brain
from ..files.atomic import replacing
from ..files.errors import failure_reason
from ..transforms.check_volume import CheckVolumed
from .given_brain import GivenBrain, given_brain, load_head
from .image_folder import ImageFile
from .slice_selection import slice_statistic

__all__ = ["ExaminedImage", "FindBrain", "examine"]

FindBrain = Callable[[MetaTensor], MetaTensor]
"""From a head ``(1, X, Y, Z)`` to its boolean brain mask on the same grid."""

BLOCKS = 16
"""Number of blocks along each axis whose means tell heads apart."""


@dataclass(frozen=True)
class ExaminedImage:
    """Findings about an image."""

    image: ImageFile
    label: Path | None
    """Region labels on the image's grid."""
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
    """Of the file."""
    blocks: NDArray[np.float32]
    """Means of the voxels in ``BLOCKS`` ** 3 blocks, in the plane's orientation: as good as equal for copies alone."""
    not_used: dict[Path, str]
    """Labels and masks that show no brain, with the reason."""


def examine(
    image: ImageFile,
    axcodes: str,
    rule: str,
    mask_file: Path,
    strict: Collection[str] = (),
    find_brain: FindBrain = estimate_brain,
) -> ExaminedImage:
    """Read an image, find its brain where the selection rule needs it, and measure its slices.

    The brain is the given mask, else the closed and filled labels, else estimated from the image.

    Args:
        image: image with its labels or masks, if it has any.
        axcodes: orientation of the plane, for example ``"IPR"``.
        rule: selection rule, see :mod:`scripts.data.slice_selection`.
        mask_file: file to write the brain mask to (``.nii.gz``) if it has to be computed.
        strict: see :func:`~scripts.data.given_brain.given_brain`.
        find_brain: function from a head to its brain mask, where no file shows it.

    Returns:
        The findings.

    Raises:
        ValueError: the image, or its label or mask, is unusable; the message gives the reason in one line.
        OSError: the mask cannot be written.
    """
    try:
        volume = load_head(image.path)
        CheckVolumed(keys="image")({"image": volume})
        orient = Orientation(axcodes=axcodes, labels=None)
        oriented = cast(MetaTensor, orient(volume))
        spacing_mm = tuple(round(float(size), 4) for size in oriented.pixdim)
        given = given_brain(image, volume, strict)
        brain = _brain(given, volume, find_brain) if rule == "brain" else None
        statistic = slice_statistic(
            oriented.numpy()[0],
            rule,
            spacing_mm[0] * spacing_mm[1],
            None if brain is None else orient(brain).numpy()[0],
        )
        digest = hashlib.sha256(image.path.read_bytes()).hexdigest()
    except Exception as error:  # readers raise what they like: one line for the list of left-out files
        raise ValueError(failure_reason(error)) from error
    mask = given.mask if given.mask or brain is None else _write_mask(brain, mask_file)
    return ExaminedImage(
        image=image,
        label=given.label,
        mask=mask,
        estimated=brain is not None and given.inside is None,
        shape=tuple(oriented.shape[1:]),
        spacing_mm=spacing_mm,
        statistic=statistic,
        sha256=digest,
        blocks=F.adaptive_avg_pool3d(oriented.as_tensor(), BLOCKS).numpy().ravel(),
        not_used=given.not_used,
    )


def _brain(given: GivenBrain, volume: MetaTensor, find_brain: FindBrain) -> MetaTensor:
    """Brain mask on the grid of ``volume``, bool; estimated where no file shows it."""
    if given.inside is None:
        try:
            return find_brain(volume)
        except ValueError as error:
            others = "".join(f" Not used: {path.name}, {reason}" for path, reason in given.not_used.items())
            raise ValueError(f"{error}{others}") from None
    return MetaTensor(torch.from_numpy(given.inside)[None], affine=volume.affine)


def _write_mask(brain: MetaTensor, file: Path) -> Path:
    """Write a mask as NIfTI of bytes, by rename."""
    image = nib.Nifti1Image(brain.numpy()[0].astype(np.uint8), np.asarray(brain.affine, dtype=np.float64))
    try:
        with replacing(file) as partial:
            nib.save(image, partial)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # it concerns this image alone
            raise ValueError(f"its mask cannot be written: {error.strerror}.") from None
        raise
    return file
