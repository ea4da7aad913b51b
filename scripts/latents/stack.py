# SPDX-License-Identifier: Apache-2.0
"""Masks of a path or of samples as a NIfTI stack."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from ..replacing import replacing

__all__ = ["save_stack"]


def save_stack(masks: NDArray[np.uint8], spacing_mm: Sequence[float], path: Path) -> None:
    """Write masks one above the other, so that a viewer scrolls through them.

    Args:
        masks: axial slices ``(N, H, W)``, rows from anterior to posterior, columns from right to left.
        spacing_mm: height and width of a pixel; the third axis counts masks, not mm.
        path: ``.nii.gz`` file.
    """
    affine = np.zeros((4, 4))
    affine[1, 0], affine[0, 1], affine[2, 2], affine[3, 3] = -spacing_mm[0], -spacing_mm[1], 1, 1
    with replacing(path) as partial:
        nib.save(nib.Nifti1Image(np.moveaxis(masks, 0, 2), affine), partial)
