# SPDX-License-Identifier: Apache-2.0
"""What was set around a head: padding, and the constant around a stripped or defaced one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Constant", "border_constants", "connected_to_border", "surroundings", "within"]

Runs: TypeAlias = NDArray[np.intp]

TILE = 4
"""Side in voxels of the tiles of the faces, and of the blocks of the volume, that are looked at as a whole."""

FACE_SHARE = 0.05
"""Share of the tiles that a constant takes up at least. Fat that 8 bits cut off has less."""


@dataclass(frozen=True)
class Constant:
    """A value that lies in one piece on the faces of a volume.

    Attributes:
        value: in the volume's unit.
        tolerance: voxels that differ by so much have the value, too.
    """

    value: float
    tolerance: float

    def matches(self, values: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Where ``values`` are the constant."""
        return within(values, self.value, self.tolerance)


def within(values: NDArray[np.floating], level: float, reach: float) -> NDArray[np.bool_]:
    """Where ``values`` differ from a level by ``reach`` at most."""
    return np.asarray((values >= level - reach) & (values <= level + reach))


def _faces(volume: NDArray[Any]) -> list[NDArray[Any]]:
    return [np.moveaxis(volume, axis, 0)[end] for axis in range(3) for end in (0, -1)]


def border_constants(volume: NDArray[np.floating], tolerance: float) -> list[Constant]:
    """Find the values that were set around a head.

    Args:
        volume: ``(H, W, D)``.
        tolerance: difference up to which values are equal.

    Returns:
        Values that tiles of the faces consist of, ascending. No tile consists of one grey level of noise.
    """
    ranges = []
    for face in _faces(volume):
        rows, columns = (size // TILE for size in face.shape)
        tiles = face[: rows * TILE, : columns * TILE].reshape(rows, TILE, columns, TILE)
        ranges.append(np.stack([tiles.min((1, 3)), tiles.max((1, 3))]).reshape(2, -1))
    lowest, highest = np.concatenate(ranges, axis=1).astype(np.float64)
    with np.errstate(invalid="ignore"):  # inf - inf
        flat = highest - lowest <= 2 * tolerance
    values = np.sort((lowest[flat] + highest[flat]) / 2)
    groups = np.split(values, np.flatnonzero(np.diff(values) > 2 * tolerance) + 1)
    return [
        Constant(float(group[len(group) // 2]), tolerance)
        for group in groups
        if len(group) and len(group) >= FACE_SHARE * len(flat)
    ]


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


def surroundings(dark: NDArray[np.bool_], margin: int = 0) -> NDArray[np.bool_]:
    """Find the air around a head, or what was set in its place.

    Args:
        dark: voxels as dark as air, ``(H, W, D)``, slices along the last axis.
        margin: number of blocks to go on, and of slices.

    Returns:
        Boolean, same shape: what lies in dark blocks that are connected to the border, and between two dark slices.
        Holes and lost pixels are none of it, also where they touch the air.
    """
    blocks = dark
    for axis in range(3):
        line = np.moveaxis(blocks, axis, 0)
        whole = line[::TILE].copy()
        for start in range(1, TILE):
            part = line[start::TILE]
            whole[: len(part)] &= part
        blocks = np.moveaxis(whole, 0, axis)
    near = connected_to_border(blocks)
    for axis in margin * (0, 1, 2):
        near = _spread(near, axis)
    near = near.repeat(TILE, 2).repeat(TILE, 1).repeat(TILE, 0)
    near = near[tuple(slice(size) for size in dark.shape)]
    lasting = dark.copy()
    lasting[..., 1:] &= dark[..., :-1]
    lasting[..., :-1] &= dark[..., 1:]
    for _ in range(margin):
        lasting = _spread(lasting, 2)
    return near & lasting


def _spread(mask: NDArray[np.bool_], axis: int) -> NDArray[np.bool_]:
    """Add the two neighbours along an axis."""
    wider = mask.copy()
    here, there = np.moveaxis(mask, axis, 0), np.moveaxis(wider, axis, 0)
    there[1:] |= here[:-1]
    there[:-1] |= here[1:]
    return wider
