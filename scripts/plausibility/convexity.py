# SPDX-License-Identifier: Apache-2.0
"""How convex the brain of a slice is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

__all__ = ["convexity"]


def convexity(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Area of a mask divided by that of its convex hull.

    The hull is that of the pixels' corners, so a rectangle has the value 1. Pixels need not be square: stretching an
    image does not change the ratio.

    Args:
        mask: ``(N, H, W)``.

    Returns:
        0 to 1, ``(N,)``; NaN where a mask is empty.
    """
    return np.array([_convexity(one) for one in mask], dtype=np.float64)


def _convexity(mask: NDArray[np.bool_]) -> float:
    rows = np.flatnonzero(mask.any(1))
    if not len(rows):
        return np.nan
    left = mask[rows].argmax(1)
    right = mask.shape[1] - mask[rows, ::-1].argmax(1)
    corners = [(row + step, column) for side in (left, right) for row, column in zip(rows, side, strict=True)
               for step in (0, 1)]  # fmt: skip
    return float(mask.sum() / ConvexHull(corners).volume)  # the "volume" of a polygon is its area
