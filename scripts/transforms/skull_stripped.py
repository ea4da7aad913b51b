# SPDX-License-Identifier: Apache-2.0
"""Whether all but the brain was taken from an image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .background import border_constants

__all__ = ["is_skull_stripped"]

MOST_ML = 2000.0
"""More than any brain with the fluid around it has; whole heads without their air have above 3,500 ml."""
TOLERANCE = 0.005
"""Difference of background, as a share of the intensity range: interpolation leaves some."""


def is_skull_stripped(volume: NDArray[np.floating], voxel_mm3: float, intensities: float) -> bool:
    """Tell by what lies in a constant background, and by how much that is.

    Args:
        volume: ``(H, W, D)``.
        voxel_mm3: volume of a voxel.
        intensities: range of the intensities, such as that of :func:`~scripts.transforms.volume_scale.volume_range`.
    """
    inside = np.isfinite(volume)
    for constant in border_constants(volume, TOLERANCE * intensities):
        inside &= ~constant.matches(volume)
    return bool(not inside.all() and inside.sum() * voxel_mm3 / 1000 < MOST_ML)
