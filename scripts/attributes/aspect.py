# SPDX-License-Identifier: Apache-2.0
"""How long a brain is for its width."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .moments import axis_moments

__all__ = ["aspect"]


def aspect(classes: NDArray[np.integer], spacing_mm: Sequence[float]) -> NDArray[np.float64]:
    """Spread of the brain along the rows' axis divided by that along the columns': length by width in an axial slice.

    The ratio of standard deviations is that of the axes of an ellipse, or of the sides of a rectangle.

    Args:
        classes: values of :class:`Tissue`, ``(N, H, W)``.
        spacing_mm: height and width of a pixel.

    Returns:
        Ratio > 0, ``(N,)``; NaN in an empty slice.
    """
    variance = axis_moments(classes > 0, spacing_mm)[1]
    return np.sqrt(variance[:, 0] / variance[:, 1])
