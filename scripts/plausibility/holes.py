# SPDX-License-Identifier: Apache-2.0
"""Holes in the brain of a slice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .exterior import exterior

__all__ = ["gap_radius", "hole_share"]

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
