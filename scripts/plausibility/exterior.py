# SPDX-License-Identifier: Apache-2.0
"""The outside of a brain in a slice, and how much of a tissue lies against it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .components import slice_components

__all__ = ["contact_length", "exterior"]


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
