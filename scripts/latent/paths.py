# SPDX-License-Identifier: Apache-2.0
"""Straight lines through the latent space."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["interpolation", "traversal"]


def interpolation(first: NDArray[np.floating], last: NDArray[np.floating], steps: int) -> NDArray[np.floating]:
    r"""Codes from one to another, :math:`(1 - t) z_0 + t z_1` for t from 0 to 1.

    Args:
        first: code ``(K,)``, or several ``(N, K)``.
        last: same shape.
        steps: number of codes, both ends included.

    Returns:
        ``(steps, K)``, or ``(N, steps, K)``.

    Example:
        >>> interpolation(np.array([0.0]), np.array([1.0]), 3).tolist()
        [[0.0], [0.5], [1.0]]
    """
    t = np.linspace(0, 1, steps)[:, None]
    return (1 - t) * first[..., None, :] + t * last[..., None, :]


def traversal(codes: NDArray[np.floating], dimension: int, low: float, high: float, steps: int) -> NDArray[np.floating]:
    """The same codes with one dimension going from ``low`` to ``high``.

    Args:
        codes: where to start, ``(N, K)``.
        dimension: the one that moves.
        low: its first value, as a rule the smallest of the training codes.
        high: its last value.
        steps: number of values.

    Returns:
        ``(N, steps, K)``.
    """
    path = np.repeat(codes[:, None, :], steps, axis=1)
    path[:, :, dimension] = np.linspace(low, high, steps)
    return path
