# SPDX-License-Identifier: Apache-2.0
"""Mean position and spread of the pixels of a mask, along rows and columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["axis_moments"]


def axis_moments(
    mask: NDArray[np.bool_], spacing_mm: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """First and second moments of masks, each pixel a rectangle of uniform density.

    Args:
        mask: ``(N, H, W)``.
        spacing_mm: height and width of a pixel.

    Returns:
        Mean position in mm from the middle of the image (down and to the right), and variance in mm2, both ``(N, 2)``
        for rows and columns; NaN where a mask is empty. The variance of a single pixel is that of a rectangle,
        ``spacing**2 / 12``.
    """
    means, variances = [], []
    for axis in (0, 1):
        counts = mask.sum(axis=2 - axis).astype(np.float64)  # (N, H) or (N, W)
        size = counts.shape[1]
        position = (np.arange(size) - (size - 1) / 2) * spacing_mm[axis]
        total = counts.sum(1)
        total[total == 0] = np.nan
        mean = counts @ position / total
        means.append(mean)
        variances.append(counts @ position**2 / total - mean**2 + spacing_mm[axis] ** 2 / 12)
    return np.stack(means, axis=1), np.stack(variances, axis=1)
