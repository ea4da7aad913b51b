# SPDX-License-Identifier: Apache-2.0
"""What is connected to the faces of a volume."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["connected_to_border"]

Runs: TypeAlias = NDArray[np.intp]


def connected_to_border(passable: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Find the voxels that are connected to the faces of a volume over the sides of passable voxels.

    As ``scipy.ndimage.label`` would, in the same time; but SciPy may be missing where a bundle is served.

    Args:
        passable: ``(H, W, D)``.

    Returns:
        Boolean, same shape.
    """
    height, width, depth = passable.shape
    padded = np.pad(passable, ((0, 0), (0, 1), (1, 1)))  # no run goes on in the next row, no plane in the next one
    starts, ends = (np.flatnonzero(np.diff(padded.ravel())) + 1).reshape(-1, 2).T
    rows = starts // (depth + 2)
    planes, rows = np.divmod(rows, width + 1)
    touches = (planes == 0) | (planes == height - 1) | (rows == 0) | (rows == width - 1)
    touches |= (starts % (depth + 2) == 1) | (ends % (depth + 2) == depth + 1)
    links = [(np.zeros(np.count_nonzero(touches), int), 1 + np.flatnonzero(touches))]  # 0 is the border
    links += [_neighbours(starts, ends, step) for step in (depth + 2, (width + 1) * (depth + 2))]
    one, other = (np.concatenate(ones) for ones in zip(*links, strict=True))
    region, former = np.arange(1 + len(starts)), None
    while former is None or not np.array_equal(region, former):  # the smallest number of a region spreads
        former = region.copy()
        smallest = np.minimum(region[one], region[other])
        np.minimum.at(region, former[one], smallest)
        np.minimum.at(region, former[other], smallest)
        region = region[region]
    reached = region[1:] == 0
    edges = np.zeros(padded.size + 1, dtype=np.int8)
    edges[starts[reached]], edges[ends[reached]] = 1, -1
    return np.cumsum(edges[:-1], dtype=np.int8).astype(bool).reshape(padded.shape)[:, :-1, 1:-1]


def _neighbours(starts: Runs, ends: Runs, step: int) -> tuple[Runs, Runs]:
    """Numbers, from 1, of the pairs of runs that touch, of which one lies ``step`` further on."""
    first = np.searchsorted(ends, starts + step, side="right")
    count = np.searchsorted(starts, ends + step) - first
    run = np.repeat(np.arange(len(starts)), count)
    return 1 + run, 1 + np.arange(len(run)) + np.repeat(first - np.cumsum(count) + count, count)
