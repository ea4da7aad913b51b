# SPDX-License-Identifier: Apache-2.0
"""Shape of masks, slice by slice: connected components, convexity, the exterior of the brain, its gaps and holes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull

__all__ = [
    "Components", "contact_length", "convexity", "exterior", "gap_radius", "hole_share", "outline_gaps",
    "slice_components",
]  # fmt: skip

CLOSING_MM = 8.0
"""Radius of the closing of sulci and fissures, whose sides are less than twice this apart."""


@dataclass(frozen=True)
class Components:
    """Connected pieces of masks.

    Attributes:
        labels: label of each pixel, ``(N, H, W)``; 0 outside, and no label occurs in two slices.
        slices: index of the slice of each piece, ``(pieces,)``; piece ``i`` has the label ``i + 1``.
        sizes: number of pixels of each piece, ``(pieces,)``.
    """

    labels: NDArray[np.int32]
    slices: NDArray[np.intp]
    sizes: NDArray[np.intp]

    def counts(self) -> NDArray[np.intp]:
        """Number of pieces in each slice, ``(N,)``."""
        return np.bincount(self.slices, minlength=len(self.labels))

    def largest(self) -> NDArray[np.intp]:
        """Number of pixels of the largest piece in each slice, ``(N,)``; 0 if there is none."""
        largest = np.zeros(len(self.labels), dtype=np.intp)
        np.maximum.at(largest, self.slices, self.sizes)
        return largest


def slice_components(mask: NDArray[np.bool_], diagonal: bool) -> Components:
    """Find the connected pieces of each slice; slices are not connected to each other.

    Args:
        mask: boolean masks ``(N, H, W)``.
        diagonal: whether pixels that touch at a corner are connected. It should differ for tissue and its surroundings:
            otherwise a diagonal line would divide the surroundings without being connected itself.
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
        mask: boolean masks ``(N, H, W)``.

    Returns:
        Ratio from 0 to 1, ``(N,)``; NaN for an empty mask.
    """
    return np.array([_convexity(one) for one in mask], dtype=np.float64)


def _convexity(mask: NDArray[np.bool_]) -> float:
    hull = _hull(mask)
    return np.nan if hull is None else float(mask.sum() / hull.volume)  # the "volume" of a polygon is its area


def _hull(mask: NDArray[np.bool_]) -> ConvexHull | None:
    """Convex hull of the corners of a mask's pixels, in pixels; None of an empty mask."""
    rows = np.flatnonzero(mask.any(1))
    if not len(rows):
        return None
    left = mask[rows].argmax(1)
    right = mask.shape[1] - mask[rows, ::-1].argmax(1)
    corners = [(row + step, column) for side in (left, right) for row, column in zip(rows, side, strict=True)
               for step in (0, 1)]  # fmt: skip
    return ConvexHull(corners)


def exterior(brain: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Background that is connected to the edge of the image, with a margin of one pixel on each side.

    Args:
        brain: boolean masks ``(N, H, W)``.

    Returns:
        Boolean, ``(N, H + 2, W + 2)``; background that the brain encloses is a hole, not exterior.
    """
    outside = slice_components(np.pad(~brain, ((0, 0), (1, 1), (1, 1)), constant_values=True), diagonal=False).labels
    return outside == outside[:, :1, :1]


def contact_length(
    mask: NDArray[np.bool_], outside: NDArray[np.bool_], spacing_mm: Sequence[float]
) -> NDArray[np.float64]:
    """Length of the pixel edges between a tissue and the exterior.

    Args:
        mask: boolean masks of the tissue, ``(N, H, W)``.
        outside: exterior, from :func:`exterior`, ``(N, H + 2, W + 2)``.
        spacing_mm: height and width of a pixel.

    Returns:
        Length in mm, ``(N,)``.
    """
    above, below = outside[:, :-2, 1:-1], outside[:, 2:, 1:-1]
    left, right = outside[:, 1:-1, :-2], outside[:, 1:-1, 2:]
    horizontal = (mask & above).sum((1, 2)) + (mask & below).sum((1, 2))  # edges as long as a pixel is wide
    vertical = (mask & left).sum((1, 2)) + (mask & right).sum((1, 2))
    return horizontal * float(spacing_mm[1]) + vertical * float(spacing_mm[0])


def gap_radius(brain: NDArray[np.bool_], spacing_mm: Sequence[float]) -> NDArray[np.float64]:
    """Radius of the largest disc of background in the brain, sulci and fissures closed (by a closing of 8 mm).

    The number of holes would tell little: every head has some in the fluid between brainstem and temporal lobes, and a
    hole that opens into a sulcus would not count. Their size is what matters.

    Args:
        brain: boolean masks ``(N, H, W)``.
        spacing_mm: height and width of a pixel.

    Returns:
        Radius in mm, to the centre of the nearest pixel of the brain, ``(N,)``; 0 without a gap.
    """
    gaps = _closed(brain, spacing_mm) & ~brain
    return np.array([_disc_radius(one, spacing_mm) for one in gaps], dtype=np.float64)


def outline_gaps(brain: NDArray[np.bool_], spacing_mm: Sequence[float]) -> NDArray[np.float64]:
    """Radius of the largest disc that is missing at the outline of the brain, of what its other side or their hull has.

    A bite out of the outline is not enclosed, so it is no gap of :func:`gap_radius`, and a large one is small beside
    the hull of the brain. The two sides of a head are alike in width, so what one has and the other has not tells a
    bite, except one in the middle of the front or the back, which the hull tells. Sulci are closed as in
    :func:`gap_radius`. The sides are mirrored about the column about which they overlap most: a centroid would move
    with the bite.

    Args:
        brain: boolean masks ``(N, H, W)``; columns from the subject's right to left.
        spacing_mm: height and width of a pixel.

    Returns:
        Radius in mm in what the other side has, and in what the convex hull of both has, to the centre of the nearest
        pixel beside it, ``(N, 2)``; 0 where nothing is missing.
    """
    filled = _closed(brain, spacing_mm)
    both = _mirrored(filled) | filled
    hull = np.array([_in_hull(one) for one in both], dtype=bool).reshape(both.shape)
    radii = [[_disc_radius(one, spacing_mm) for one in whole & ~filled] for whole in (both, hull)]
    return np.array(radii, dtype=np.float64).T.reshape(-1, 2)


def _closed(brain: NDArray[np.bool_], spacing_mm: Sequence[float]) -> NDArray[np.bool_]:
    """Brains ``(N, H, W)`` with sulci closed and holes filled."""
    margin = [int(np.ceil(CLOSING_MM / size)) + 1 for size in spacing_mm]
    padded = np.pad(brain, [(0, 0), *((size, size) for size in margin)])
    inside = slice(margin[0], -margin[0]), slice(margin[1], -margin[1])
    closed = [_closed_one(one, spacing_mm)[inside] for one in padded]
    return np.stack(closed) if closed else brain


def _closed_one(brain: NDArray[np.bool_], spacing_mm: Sequence[float]) -> NDArray[np.bool_]:
    if not brain.any():
        return brain
    near = ndimage.distance_transform_edt(~brain, sampling=spacing_mm) <= CLOSING_MM
    closed = ndimage.distance_transform_edt(near, sampling=spacing_mm) > CLOSING_MM
    filled: NDArray[np.bool_] = ndimage.binary_fill_holes(closed | brain)
    return filled


def _mirrored(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Each of the masks ``(N, H, W)`` with right and left exchanged, about the column of the largest overlap."""
    width = mask.shape[2]
    spectrum = np.fft.rfft(mask, 2 * width, axis=2)
    overlap = np.fft.irfft((spectrum**2).sum(1), 2 * width)  # at s: of column x with column s - x, summed over x
    source = overlap.argmax(1)[:, None] - np.arange(width)  # (N, W)
    columns = np.take_along_axis(mask, source.clip(0, width - 1)[:, None, :], axis=2)
    return np.asarray(columns & ((source >= 0) & (source < width))[:, None, :])


def _in_hull(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels whose centres are in the convex hull of a mask, ``(H, W)``."""
    hull = _hull(mask)
    if hull is None:
        return mask
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]] + 0.5
    sides = hull.equations[:, :2, None, None]
    return np.asarray((sides[:, 0] * y + sides[:, 1] * x + hull.equations[:, 2, None, None] <= 0).all(0))


def _disc_radius(mask: NDArray[np.bool_], spacing_mm: Sequence[float]) -> float:
    """Largest distance in mm of a pixel of a mask from the nearest one that is not, the edge of the image included."""
    return float(ndimage.distance_transform_edt(np.pad(mask, 1), sampling=spacing_mm).max()) if mask.any() else 0.0


def hole_share(brain: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Area of the background that the brain encloses, as a share of the filled brain.

    Args:
        brain: boolean masks ``(N, H, W)``.

    Returns:
        Share from 0 to 1, ``(N,)``; 0 in an empty slice.
    """
    filled = (~exterior(brain)[:, 1:-1, 1:-1]).sum((1, 2))
    return 1 - brain.sum((1, 2)) / np.maximum(filled, 1) - (filled == 0)
