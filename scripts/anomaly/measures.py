# SPDX-License-Identifier: Apache-2.0
"""How well a map shows lesions: average precision and Dice of voxels, lesions found, false clusters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .calibration import BEYOND, LEVELS, LINE

__all__ = ["VoxelCounts", "false_clusters", "found_lesions"]

BINS = 8000
"""Values are counted in so many steps up to the largest."""
LARGEST = LEVELS[-1] + BEYOND
SHARED = 0.1
"""A lesion is found by a cluster that covers so much of it, and that lies in it with so much of itself."""


@dataclass(frozen=True)
class VoxelCounts:
    """Voxels by their value, those of lesions and the others; counts of several heads can be added.

    Attributes:
        lesion: number of lesion voxels of each value, ascending.
        other: of the other voxels of the brain.
    """

    lesion: NDArray[np.int64]
    other: NDArray[np.int64]

    @classmethod
    def of(cls, values: NDArray[np.floating], lesion: NDArray[np.bool_]) -> VoxelCounts:
        """Count voxels of brains.

        Args:
            values: minus log10 p, ``(N,)``.
            lesion: whether each is one of a lesion.
        """
        index = np.clip(values / LARGEST * BINS, 0, BINS).astype(np.int64)
        lesion_counts, other = (np.bincount(index[part], minlength=BINS + 1) for part in (lesion, ~lesion))
        return cls(lesion_counts, other)

    def __add__(self, others: VoxelCounts) -> VoxelCounts:
        return VoxelCounts(self.lesion + others.lesion, self.other + others.other)

    @property
    def average_precision(self) -> float:
        """Area under the steps of precision over recall; voxels of one value are called together.

        Example:
            >>> VoxelCounts.of(np.array([3.0, 2.0, 2.0, 0.0]), np.array([True, True, False, False])).average_precision
            0.833...
        """
        true, called = self._descending()
        gained = np.diff(true, prepend=0)
        return float((gained * true / np.maximum(called, 1)).sum() / max(1, true[-1]))

    @property
    def best_dice(self) -> float:
        """The largest Dice of any threshold: what nobody can choose without knowing the lesions."""
        true, called = self._descending()
        return float((2 * true / np.maximum(called + true[-1], 1)).max())

    @property
    def dice_at_line(self) -> float:
        """Dice of the voxels that reach 2, a threshold that healthy heads set."""
        true, called = (part[BINS - round(LINE / LARGEST * BINS)] for part in self._descending())
        return float(2 * true / max(1, called + self.lesion.sum()))

    def _descending(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Lesion voxels, and all voxels, that reach each value, the highest first."""
        return np.cumsum(self.lesion[::-1]), np.cumsum((self.lesion + self.other)[::-1])


def found_lesions(clusters: NDArray[np.integer], lesions: NDArray[np.integer], number: int) -> list[bool]:
    """Which lesions are found.

    Args:
        clusters: numbers of the called clusters, 0 elsewhere.
        lesions: numbers of the lesions, same shape.
        number: how many lesions there are.
    """
    overlap = _overlap(clusters, lesions, number)
    of_lesion = overlap / np.maximum(np.bincount(lesions.ravel(), minlength=number + 1), 1)
    of_cluster = overlap / np.maximum(np.bincount(clusters.ravel(), minlength=len(overlap))[:, None], 1)
    found = np.logical_and(of_lesion >= SHARED, of_cluster >= SHARED)[1:, 1:]
    return np.asarray(found.any(axis=0)).tolist()


def false_clusters(clusters: NDArray[np.integer], lesions: NDArray[np.integer]) -> int:
    """Number of called clusters that touch no lesion."""
    overlap = _overlap(clusters, (lesions > 0).astype(np.int64), 1)
    return int((overlap[1:, 1] == 0).sum())


def _overlap(clusters: NDArray[np.integer], lesions: NDArray[np.integer], number: int) -> NDArray[np.int64]:
    """Voxels that each cluster, 0 for none, shares with each lesion."""
    most = int(clusters.max(initial=0)) + 1
    both = clusters.ravel().astype(np.int64) * (number + 1) + lesions.ravel()
    return np.bincount(both, minlength=most * (number + 1)).reshape(most, number + 1)
