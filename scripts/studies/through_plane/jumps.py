# SPDX-License-Identifier: Apache-2.0
"""Slices that do not belong where they are: to measure how many of them are found."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...tissue.slices import TissueSlices

__all__ = ["FAR_MM", "JUMPS", "Place"]

FAR_MM = 12.0
SHIFT_MM = 8.0
ZOOM = 0.1
EROSION_MM = 4.0
BITE_MM = 24.0


class Place(NamedTuple):
    """Where a jump is put.

    Attributes:
        slices: slices of heads that thresholds were not learned from.
        rows: rows of one of these heads, from its lowest slice to its highest.
        position: position in ``rows`` of the slice that is replaced.
        donors: slices of other heads.
        slice_mm: distance of the slices.
    """

    slices: TissueSlices
    rows: NDArray[np.intp]
    position: int
    donors: TissueSlices
    slice_mm: float

    @property
    def row(self) -> int:
        """Of the slice that belongs there."""
        return int(self.rows[self.position])

    @property
    def mask(self) -> NDArray[np.uint8]:
        """The slice that belongs there, ``(H, W)``."""
        return self.slices.classes[self.row]


Jump = Callable[[Place, np.random.Generator], NDArray[np.uint8]]


def far_slice(place: Place, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A slice of the same head, 12 mm further up or down."""
    step = round(FAR_MM / place.slice_mm)
    choices = [p for p in (place.position - step, place.position + step) if 0 <= p < len(place.rows)]
    return place.slices.classes[place.rows[rng.choice(choices)]]


def other_head(place: Place, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The slice of another head that is nearest in level."""
    volumes = place.donors.volumes()
    rows = volumes[rng.integers(len(volumes))]
    return place.donors.classes[rows[np.abs(place.donors.level[rows] - place.slices.level[place.row]).argmin()]]


def shifted(place: Place, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The slice moved by 8 mm along its rows or its columns."""
    axis, sign = rng.integers(2), rng.choice((-1, 1))
    offset = [0, 0]
    offset[axis] = int(sign * round(SHIFT_MM / place.slices.spacing_mm[axis]))
    return ndimage.shift(place.mask, offset, order=0)


def shrunk(place: Place, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The slice made smaller by 10 %."""
    return _zoomed(place.mask, 1 - ZOOM)


def grown(place: Place, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The slice made larger by 10 %."""
    return _zoomed(place.mask, 1 + ZOOM)


def eroded(place: Place, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The slice without the outer 4 mm of the brain."""
    depth = ndimage.distance_transform_edt(place.mask > 0, sampling=place.slices.spacing_mm)
    return np.where(depth > EROSION_MM, place.mask, 0).astype(np.uint8)


def bitten(place: Place, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The slice without what lies within 24 mm of a random point of the brain."""
    inside = np.argwhere(place.mask > 0)
    offsets = np.indices(place.mask.shape).transpose(1, 2, 0) - inside[rng.integers(len(inside))]
    distance = np.linalg.norm(offsets * np.array(place.slices.spacing_mm), axis=2)
    return np.where(distance > BITE_MM, place.mask, 0).astype(np.uint8)


def _zoomed(mask: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    """Nearest-neighbour zoom about the centroid of the brain, on the same grid."""
    centre = np.array(ndimage.center_of_mass(mask > 0))
    return ndimage.affine_transform(mask, [1 / factor] * 2, centre - centre / factor, order=0)


JUMPS: dict[str, Jump] = {
    jump.__name__: jump for jump in (far_slice, other_head, shifted, shrunk, grown, eroded, bitten)
}
