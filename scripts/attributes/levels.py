# SPDX-License-Identifier: Apache-2.0
"""The level of a slice: where it lies along the brain of its head, from 0 at the lowest end to 1 at the highest."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["LEVELS", "level_windows", "slice_levels"]

LEVELS = np.linspace(0.05, 0.95, 19)
"""Where what is learned along the brain is stored; interpolated between, constant beyond."""

HALF_WINDOW = 0.05


def slice_levels(count: int) -> NDArray[np.float64]:
    """Level of each of ``count`` slices that together are a brain: the middle of the slice as a share of the extent.

    Example:
        >>> slice_levels(4).tolist()
        [0.125, 0.375, 0.625, 0.875]
    """
    return (np.arange(count) + 0.5) / count


def level_windows(level: ArrayLike) -> list[NDArray[np.intp]]:
    """Which slices lie near each of :data:`LEVELS`, 0.05 to either side.

    Args:
        level: of slices of whole heads, ``(N,)``.

    Returns:
        Indices for each of the 19 levels.

    Raises:
        ValueError: there is no slice near some level.
    """
    where = np.asarray(level, dtype=np.float64)
    windows = [np.flatnonzero(np.abs(where - centre) <= HALF_WINDOW) for centre in LEVELS]
    if empty := [f"{centre:.2f}" for centre, window in zip(LEVELS, windows, strict=True) if not len(window)]:
        raise ValueError(f"no slices near the levels {', '.join(empty)}: learning needs the slices of whole heads.")
    return windows
