# SPDX-License-Identifier: Apache-2.0
"""What the attributes of missing slices would be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

__all__ = ["fill_slices"]


def fill_slices(profile: NDArray[np.float64], missing: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Fill in missing slices by cubic splines through the others.

    Args:
        profile: attributes along the slices of a volume, ``(T, L)``; NaN where not defined.
        missing: ``(T,)``.

    Returns:
        ``(T, L)``; an attribute that is defined in less than two of the others stays as it is.
    """
    filled, positions = profile.copy(), np.arange(len(profile))
    for column in range(profile.shape[1] if missing.any() else 0):
        known = ~missing & np.isfinite(profile[:, column])
        if known.sum() > 1:
            filled[missing, column] = CubicSpline(positions[known], profile[known, column])(positions[missing])
    return filled
