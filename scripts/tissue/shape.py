# SPDX-License-Identifier: Apache-2.0
"""Connected pieces in each slice of a stack, all slices at once.

FOLDED: How convex the brain of a slice is.
FOLDED: The outside of a brain in a slice, and how much of a tissue lies against it.
FOLDED: Holes in the brain of a slice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull

__all__ = ["Components", "contact_length", "convexity", "exterior", "gap_radius", "hole_share", "slice_components"]


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


def exterior(brain: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Background from which the edge of the image can be reached, one pixel wider than the image on every side.

    Args:
        brain: ``(N, H, W)``.

    Returns:
        ``(N, H + 2, W + 2)``; background that brain encloses is a hole and no exterior.
    """
    outside = slice_components(np.pad(~brain, ((0, 0), (1, 1), (1, 1)), constant_values=True), diagonal=False).labels
    return outside == outside[:, :1, :1]


def contact_length(
    mask: NDArray[np.bool_], outside: NDArray[np.bool_], spacing_mm: Sequence[float]
) -> NDArray[np.float64]:
    """Length of the pixel edges between a tissue and the exterior.

    Args:
        mask: ``(N, H, W)``.
        outside: of :func:`exterior`, ``(N, H + 2, W + 2)``.
        spacing_mm: height and width of a pixel.

    Returns:
        mm, ``(N,)``.
    """
    above, below = outside[:, :-2, 1:-1], outside[:, 2:, 1:-1]
    left, right = outside[:, 1:-1, :-2], outside[:, 1:-1, 2:]
    horizontal = (mask & above).sum((1, 2)) + (mask & below).sum((1, 2))  # edges as long as a pixel is wide
    vertical = (mask & left).sum((1, 2)) + (mask & right).sum((1, 2))
    return horizontal * float(spacing_mm[1]) + vertical * float(spacing_mm[0])


CLOSING_MM = 8.0
"""Closes sulci and fissures, the sides of which are nearer than twice this."""


def gap_radius(brain: NDArray[np.bool_], spacing_mm: Sequence[float]) -> NDArray[np.float64]:
    """Radius of the largest disc of background in the brain, when sulci and fissures are closed (a closing of 8 mm).

    The number of holes would tell little: the fluid between brainstem and temporal lobes encloses some in every head,
    and a true hole that opens into a sulcus is none. Their size does.

    Args:
        brain: ``(N, H, W)``.
        spacing_mm: height and width of a pixel.

    Returns:
        mm, to the centre of the nearest pixel of the brain, ``(N,)``; 0 without a gap.
    """
    margin = [int(np.ceil(CLOSING_MM / size)) + 1 for size in spacing_mm]
    padded = np.pad(brain, [(0, 0), *((size, size) for size in margin)])
    return np.array([_gap_radius(one, spacing_mm) for one in padded], dtype=np.float64)


def _gap_radius(brain: NDArray[np.bool_], spacing_mm: Sequence[float]) -> float:
    if not brain.any():
        return 0.0
    near = ndimage.distance_transform_edt(~brain, sampling=spacing_mm) <= CLOSING_MM
    closed = ndimage.distance_transform_edt(near, sampling=spacing_mm) > CLOSING_MM
    gaps = ndimage.binary_fill_holes(closed | brain) & ~brain
    return float(ndimage.distance_transform_edt(gaps, sampling=spacing_mm).max()) if gaps.any() else 0.0


def hole_share(brain: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Area of all that brain encloses, as a share of the brain with it.

    Args:
        brain: ``(N, H, W)``.

    Returns:
        0 to 1, ``(N,)``; 0 in an empty slice.
    """
    filled = (~exterior(brain)[:, 1:-1, 1:-1]).sum((1, 2))
    return 1 - brain.sum((1, 2)) / np.maximum(filled, 1) - (filled == 0)
