# SPDX-License-Identifier: Apache-2.0
"""Areas of brain and tissues in a slice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .tissue import Tissue

__all__ = ["brain_area", "grey_area", "ventricle_area", "white_area", "white_fraction"]


def brain_area(classes: NDArray[np.integer], spacing_mm: Sequence[float]) -> NDArray[np.float64]:
    """Area of all that is not background, the ventricles included.

    Args:
        classes: values of :class:`Tissue`, ``(N, H, W)``.
        spacing_mm: height and width of a pixel.

    Returns:
        mm2, ``(N,)``; 0 in an empty slice.
    """
    return _area(classes > Tissue.BACKGROUND, spacing_mm)


def ventricle_area(classes: NDArray[np.integer], spacing_mm: Sequence[float]) -> NDArray[np.float64]:
    """Area of the ventricles in mm2; arguments of :func:`brain_area`."""
    return _area(classes == Tissue.VENTRICLE, spacing_mm)


def grey_area(classes: NDArray[np.integer], spacing_mm: Sequence[float]) -> NDArray[np.float64]:
    """Area of the grey matter in mm2; arguments of :func:`brain_area`."""
    return _area(classes == Tissue.GREY, spacing_mm)


def white_area(classes: NDArray[np.integer], spacing_mm: Sequence[float]) -> NDArray[np.float64]:
    """Area of the white matter in mm2; arguments of :func:`brain_area`."""
    return _area(classes == Tissue.WHITE, spacing_mm)


def white_fraction(classes: NDArray[np.integer], spacing_mm: Sequence[float]) -> NDArray[np.float64]:
    """White matter as a share of the brain, 0 to 1; NaN in an empty slice. Arguments of :func:`brain_area`."""
    brain = brain_area(classes, spacing_mm)
    brain[brain == 0] = np.nan
    return white_area(classes, spacing_mm) / brain


def _area(mask: NDArray[np.bool_], spacing_mm: Sequence[float]) -> NDArray[np.float64]:
    return mask.sum((1, 2)) * float(spacing_mm[0] * spacing_mm[1])
