# SPDX-License-Identifier: Apache-2.0
"""What a sample of the intensities of a volume tells, in any unit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["centre", "extent", "half_sample_mode", "ordered_sample", "tie"]

SAMPLE = 50_000


def ordered_sample(volume: NDArray[np.floating]) -> tuple[NDArray[np.float64], float]:
    """Ascending finite values of a grid of some 50,000 voxels, and the share of the voxels that the grid is.

    Example:
        >>> ordered, share = ordered_sample(np.arange(8.0).reshape(2, 2, 2))
        >>> len(ordered), share
        (8, 1.0)
    """
    step = max(1, round((volume.size / SAMPLE) ** (1 / volume.ndim)))
    drawn = volume[(slice(None, None, step),) * volume.ndim]
    return np.sort(drawn[np.isfinite(drawn)].astype(np.float64)), drawn.size / volume.size


def extent(ordered: NDArray[np.floating]) -> tuple[float, float]:
    """2nd and 98th percentile of the distinct values: a background counts once, however large it is.

    Example:
        >>> extent(np.array([-1000.0] * 90 + [0.0, 1.0, 2.0]))
        (-1000.0, 1.0)
    """
    distinct = ordered[np.r_[True, np.diff(ordered) > 0]]
    first, last = (distinct[int(share * (len(distinct) - 1))] for share in (0.02, 0.98))
    return float(first), float(last)


def half_sample_mode(ordered: NDArray[np.floating]) -> float:
    """The place where values lie closest: the shortest interval with half of them, again and again.

    References:
        Bickel and Fruehwirth, On a fast, robust estimator of the mode, Computational Statistics and Data Analysis
        50(12), 2006 (doi:10.1016/j.csda.2005.07.011).

    Example:
        >>> half_sample_mode(np.array([0.0, 3.0, 4.0, 4.5, 9.0]))
        4.25
    """
    while len(ordered) > 2:
        half = (len(ordered) + 1) // 2
        widths = ordered[half - 1 :] - ordered[: len(ordered) - half + 1]
        shortest = int(widths.argmin())
        if widths[shortest] == 0:
            return float(ordered[shortest])
        ordered = ordered[shortest : shortest + half]
    return float(ordered.mean())


def centre(ordered: NDArray[np.floating], start: float, reach: float) -> float:
    """Mean of what lies within ``reach`` of it."""
    for _ in range(4):
        first, end = np.searchsorted(ordered, (start - reach, start + reach))
        start = float(ordered[first:end].mean())
    return start


def tie(ordered: NDArray[np.floating], least: float, times: float) -> dict[float, int]:
    """The commonest value, with its count, if it stands out; else nothing.

    Args:
        ordered: ascending values.
        least: number of voxels that it has more than.
        times: so many times as common as its neighbours among the values it is.

    Example:
        >>> tie(np.array([0.0, 1.0, 2.0, 2.0, 2.0, 2.0, 3.0]), least=2, times=3)
        {2.0: 4}
        >>> tie(np.array([0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 2.0, 3.0, 3.0]), least=2, times=3)
        {}
    """
    values, counts = np.unique(ordered, return_counts=True)
    if not len(values):
        return {}
    top = int(counts.argmax())
    neighbours = int(counts[max(top - 2, 0) : top + 3].sum() - counts[top])
    stands_out = counts[top] > max(least, times * neighbours / 4)
    return {float(values[top]): int(counts[top])} if stands_out else {}
