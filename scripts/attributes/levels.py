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


def level_windows(level: ArrayLike, whole_heads: bool = True) -> list[NDArray[np.intp]]:
    """Which slices lie near each of :data:`LEVELS`, 0.05 to either side.

    Args:
        level: of slices, ``(N,)``.
        whole_heads: the slices are of whole heads. If they are not, because small ones at the ends were left out, a
            level without slices has those of the nearest level that has some.

    Returns:
        Indices for each of the 19 levels.

    Raises:
        ValueError: there is no slice near some level, or at all.
    """
    where = np.asarray(level, dtype=np.float64)
    windows = [np.flatnonzero(np.abs(where - centre) <= HALF_WINDOW) for centre in LEVELS]
    if not whole_heads and any(map(len, windows)):
        filled = np.flatnonzero([len(window) for window in windows])
        return [windows[filled[np.abs(filled - position).argmin()]] for position in range(len(windows))]
    if empty := [f"{centre:.2f}" for centre, window in zip(LEVELS, windows, strict=True) if not len(window)]:
        raise ValueError(f"no slices near the levels {', '.join(empty)}: learning needs the slices of whole heads.")
    return windows
