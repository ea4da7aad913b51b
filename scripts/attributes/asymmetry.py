# SPDX-License-Identifier: Apache-2.0
"""Left-right asymmetry of the ventricles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .moments import axis_moments
from .tissue import Tissue

__all__ = ["ventricle_asymmetry"]


def ventricle_asymmetry(classes: NDArray[np.integer], spacing_mm: Sequence[float]) -> NDArray[np.float64]:
    """``(R - L) / (R + L)`` of the ventricle areas on the two sides of the brain's centroid, in an axial slice.

    The column of the centroid is shared between the sides, so the value is the same wherever the head lies.

    Args:
        classes: values of :class:`Tissue`, ``(N, H, W)``, columns from the subject's right to left.
        spacing_mm: height and width of a pixel.

    Returns:
        From -1 (all on the left) to 1 (all on the right), ``(N,)``; NaN in a slice without ventricles.
    """
    columns = classes.shape[2]
    middle = (
        axis_moments(classes > 0, spacing_mm)[0][:, 1] / spacing_mm[1] + columns / 2
    )  # in pixels from the left edge
    right_share = np.clip(middle[:, None] - np.arange(columns), 0.0, 1.0)  # of each column, (N, W)
    ventricle = (classes == Tissue.VENTRICLE).sum(1)  # (N, W)
    total = ventricle.sum(1).astype(np.float64)
    total[total == 0] = np.nan
    return (ventricle * (2 * right_share - 1)).sum(1) / total
