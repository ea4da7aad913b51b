# SPDX-License-Identifier: Apache-2.0
"""What was set around a head: padding, and the constant around a stripped or defaced one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .connected import connected_to_border

__all__ = ["Constant", "border_constants", "surroundings", "within", "zeros_between_tissue"]


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


def zeros_between_tissue(volume: NDArray[np.floating], tissue: float = 0.15, longest: int = 4) -> int:
    """How many zeros lie in short runs with tissue before and behind, along any axis.

    Where there are few, no voxels were lost: it is the first question of
    :func:`~scripts.repairs.erased.find_erased`.

    Args:
        volume: shape ``(H, W, D)``, nothing 0, 99.5th percentile 1.
        tissue: intensity from which there is tissue.
        longest: voxels of a run.
    """
    zero, bright = volume == 0, volume > tissue
    found = np.zeros_like(zero)
    for axis in range(3):
        zeros, ends, there = (np.moveaxis(one, axis, 0) for one in (zero, bright, found))
        run = np.ones_like(zeros)
        for length in range(1, longest + 1):
            run = run[: len(zeros) - length + 1] & zeros[length - 1 :]
            bounded = run[1:-1] & ends[: len(zeros) - length - 1] & ends[length + 1 :]
            for place in range(length):
                there[1 + place : 1 + place + len(bounded)] |= bounded
    return int(np.count_nonzero(found))


def _spread(mask: NDArray[np.bool_], axis: int) -> NDArray[np.bool_]:
    """Add the two neighbours along an axis."""
    wider = mask.copy()
    here, there = np.moveaxis(mask, axis, 0), np.moveaxis(wider, axis, 0)
    there[1:] |= here[:-1]
    there[:-1] |= here[1:]
    return wider
