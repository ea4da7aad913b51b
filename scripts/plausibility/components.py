# SPDX-License-Identifier: Apache-2.0
"""Connected pieces in each slice of a stack, all slices at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["Components", "slice_components"]


@dataclass(frozen=True)
class Components:
    """Connected pieces of masks.

    Attributes:
        labels: ``(N, H, W)``; 0 outside, and no number is used in two slices.
        slices: the slice of each piece, ``(pieces,)``; piece ``i`` has the label ``i + 1``.
        sizes: pixels of each piece, ``(pieces,)``.
    """

    labels: NDArray[np.int32]
    slices: NDArray[np.intp]
    sizes: NDArray[np.intp]

    def counts(self) -> NDArray[np.intp]:
        """Number of pieces in each slice, ``(N,)``."""
        return np.bincount(self.slices, minlength=len(self.labels))

    def largest(self) -> NDArray[np.intp]:
        """Pixels of the largest piece in each slice, ``(N,)``; 0 where there is none."""
        largest = np.zeros(len(self.labels), dtype=np.intp)
        np.maximum.at(largest, self.slices, self.sizes)
        return largest


def slice_components(mask: NDArray[np.bool_], diagonal: bool) -> Components:
    """Find the connected pieces of each slice; slices are not connected to each other.

    Args:
        mask: ``(N, H, W)``.
        diagonal: pixels that touch at a corner are connected. True for tissue and False for what surrounds it, or the
            other way round: with the same for both, a diagonal line would cut the surroundings without being one piece.
    """
    neighbours = np.zeros((3, 3, 3), dtype=bool)
    neighbours[1] = ndimage.generate_binary_structure(2, 2 if diagonal else 1)
    labels, count = ndimage.label(mask, neighbours)
    slices = np.zeros(count + 1, dtype=np.intp)
    slices[labels] = np.arange(len(mask))[:, None, None]
    return Components(labels, slices[1:], np.bincount(labels.ravel(), minlength=count + 1)[1:])
