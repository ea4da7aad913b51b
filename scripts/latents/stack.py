# SPDX-License-Identifier: Apache-2.0
"""Images of a path or of samples as a NIfTI stack."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from ..replacing import replacing
from ..transforms.plane import plane_axcodes

__all__ = ["save_stack"]


AXES = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}


def save_stack(images: NDArray, spacing_mm: Sequence[float], path: Path, plane: str = "axial") -> None:
    """Write images one above the other, so that a viewer scrolls through them.

    Args:
        images: slices ``(N, H, W)``, rows and columns as in :data:`scripts.transforms.PLANE_AXCODES`.
        spacing_mm: height and width of a pixel; the third axis counts images, not mm.
        path: ``.nii.gz`` file.
        plane: of the slices.
    """
    affine = np.zeros((4, 4))
    affine[3, 3] = 1
    for axis, (letter, size) in enumerate(zip(plane_axcodes(plane), (*spacing_mm, 1.0), strict=True)):
        row, sign = AXES[letter]
        affine[row, axis] = sign * size
    with replacing(path) as partial:
        nib.save(nib.Nifti1Image(np.moveaxis(images, 0, 2), affine), partial)
