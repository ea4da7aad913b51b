# SPDX-License-Identifier: Apache-2.0
"""Brain masks: from region labels, or estimated where there are none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["brain_from_labels"]

CLOSING_MM = 4.0
"""Radius of the closing: bridges the sulci that label maps leave out."""


def brain_from_labels(labels: NDArray[np.generic], spacing_mm: Sequence[float] = (2.0, 2.0, 2.0)) -> NDArray[np.bool_]:
    """Brain mask from region labels: closed, and its holes (ventricles, cisterns) filled.

    Args:
        labels: ``(X, Y, Z)``, 0 outside the brain.
        spacing_mm: voxel size.

    Returns:
        True inside the brain, same shape.

    Raises:
        ValueError: there is no label at all.
    """
    inside = np.asarray(labels) > 0
    if not inside.any():
        raise ValueError("the label file has no voxel above 0, so it shows no brain. Check that it is the right file.")
    box = ndimage.find_objects(inside.astype(np.uint8))[0]
    margin = [int(np.ceil(CLOSING_MM / size)) + 1 for size in spacing_mm]
    padded = np.pad(inside[box], [(size, size) for size in margin])
    dilated = ndimage.distance_transform_edt(~padded, sampling=spacing_mm) <= CLOSING_MM
    closed = ndimage.distance_transform_edt(dilated, sampling=spacing_mm) > CLOSING_MM
    brain = np.zeros_like(inside)
    brain[box] = ndimage.binary_fill_holes(closed | padded)[tuple(slice(size, -size) for size in margin)]
    return brain
