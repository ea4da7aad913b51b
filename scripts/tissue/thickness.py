# SPDX-License-Identifier: Apache-2.0
"""Thickness of the grey matter in a slice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from monai.utils import optional_import
from numpy.typing import NDArray

from .classes import Tissue

ndimage, _ = optional_import("scipy.ndimage")

__all__ = ["grey_matter_depth", "ribbon_thickness"]


def ribbon_thickness(mask: NDArray[np.bool_], spacing_mm: Sequence[float]) -> NDArray[np.float64]:
    r"""Mean thickness of a ribbon, from the distances of its points to its border.

    In a ribbon of thickness :math:`t`, straight or bent to a ring, these are uniform between 0 and :math:`t / 2`, so

    .. math:: t = 4 \cdot \mathrm{mean}(d)

    Each pixel is halved before the Euclidean distance transform, and the distance is that to the edge of the nearest
    outer pixel, not to its centre, so ribbons along the axes are measured exactly, even those of one pixel. Others come
    out up to 12 % too thin, because their borders are stairs.

    Args:
        mask: boolean masks ``(N, H, W)``; outside the image there is no ribbon.
        spacing_mm: height and width of a pixel.

    Returns:
        Thickness in mm, ``(N,)``; NaN for an empty mask.
    """
    half = [float(size) / 2 for size in spacing_mm]
    return np.array([_thickness(one, half) for one in mask], dtype=np.float64)


def _thickness(mask: NDArray[np.bool_], half_mm: Sequence[float]) -> float:
    if not mask.any():
        return np.nan
    fine = np.pad(mask, 1).repeat(2, axis=0).repeat(2, axis=1)
    distance = ndimage.distance_transform_edt(fine, sampling=half_mm)
    return 4 * float(distance[fine].mean() - sum(half_mm) / 4)


def grey_matter_depth(classes: NDArray[np.integer], spacing_mm: Sequence[float]) -> NDArray[np.float64]:
    """Mean thickness of the grey matter as the slice cuts it, by :func:`ribbon_thickness`.

    This is a measure to compare masks, larger than the anatomical thickness of 2 to 4 mm: a slice cuts the cortex
    obliquely, the two banks of a closed sulcus count as one ribbon, and deep nuclei and cerebellum are included. From a
    level of 0.35 upwards, above the cerebellum, its correlation with the thickness of the cortex labels alone is 0.93
    (40 IXI heads at 2 mm), over all levels 0.80.

    Args:
        classes: tissue masks, values of :class:`Tissue`, ``(N, H, W)``.
        spacing_mm: height and width of a pixel.

    Returns:
        Thickness in mm, ``(N,)``; NaN in a slice without grey matter.
    """
    return ribbon_thickness(classes == Tissue.GREY, spacing_mm)
