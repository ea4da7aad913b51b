# SPDX-License-Identifier: Apache-2.0
"""Where the brain lies in a slice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .moments import axis_moments

__all__ = ["centroid_anterior", "centroid_right"]


def centroid_anterior(classes: NDArray[np.integer], spacing_mm: Sequence[float]) -> NDArray[np.float64]:
    """How far the brain's centroid lies in front of the middle of the image, in an axial slice.

    The middle of the image is that of the whole head's brain (:func:`scripts.attributes.tissue_transforms`).

    Args:
        classes: values of :class:`Tissue`, ``(N, H, W)``, rows from anterior to posterior.
        spacing_mm: height and width of a pixel.

    Returns:
        mm, ``(N,)``; NaN in an empty slice.
    """
    return -axis_moments(classes > 0, spacing_mm)[0][:, 0]


def centroid_right(classes: NDArray[np.integer], spacing_mm: Sequence[float]) -> NDArray[np.float64]:
    """How far the brain's centroid lies to the subject's right of the middle of the image, in an axial slice.

    Args:
        classes: values of :class:`Tissue`, ``(N, H, W)``, columns from the subject's right to left.
        spacing_mm: height and width of a pixel.

    Returns:
        mm, ``(N,)``; NaN in an empty slice.
    """
    return -axis_moments(classes > 0, spacing_mm)[0][:, 1]
