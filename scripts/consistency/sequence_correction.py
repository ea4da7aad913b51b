# SPDX-License-Identifier: Apache-2.0
"""Smooth the codes of a volume's slices just enough to be consistent: the published way."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .smoothing import smooth_signal

__all__ = ["correct_sequence"]

OTHER_WEIGHT = 50.0
LARGEST_WEIGHT = 128.0
SEARCH_DEPTH = 5
"""The three values of the paper's code (vitalab/vital, ``utils/signal/snake.py``)."""


def correct_sequence(
    codes: ArrayLike, dims: Collection[int], consistent: Callable[[NDArray[np.float64]], bool]
) -> NDArray[np.float64]:
    """Smooth the attributes' dimensions with the smallest weight for which the slices are consistent.

    The weight is searched by five halvings of the interval from 0 to 128. The other dimensions are smoothed with a
    weight of 50. See :func:`scripts.consistency.smooth_signal`.

    ``Differs from the paper:`` there each attribute has a weight of its own; here attributes are judged together.

    Args:
        codes: of the slices of a volume in order, ``(T, K)``.
        dims: the dimensions that stand for attributes.
        consistent: whether codes ``(T, K)`` are.

    Returns:
        The smoothed codes, ``(T, K)``; with the largest weight where even that is not enough.
    """
    start = np.asarray(codes, dtype=np.float64)
    of_attribute = np.isin(np.arange(start.shape[1]), list(dims))
    low, high = 0.0, LARGEST_WEIGHT

    def smoothed(weight: float) -> NDArray[np.float64]:
        return smooth_signal(start, np.where(of_attribute, weight, OTHER_WEIGHT))

    for _ in range(SEARCH_DEPTH):
        middle = (low + high) / 2
        low, high = (low, middle) if consistent(smoothed(middle)) else (middle, high)
    return smoothed(high)
