# SPDX-License-Identifier: Apache-2.0
"""Smooth signals along the slices of a volume."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import solveh_banded

__all__ = ["smooth_signal"]


def smooth_signal(signal: ArrayLike, weight: ArrayLike, trust: ArrayLike | None = None) -> NDArray[np.float64]:
    r"""Smooth signals, each with a weight of its own.

    Finds the minimum of

    .. math:: \frac{1}{2} \sum_t w_t (s_t - s^0_t)^2 + \frac{\lambda}{4} \sum_t (s_t - s_{t+1})^2

    by solving :math:`(W + \lambda L) s = W s^0`, where :math:`L` is half the Laplacian of a chain: the signal minus the
    mean of its two neighbours, the ends repeated outwards. One solution of a tridiagonal system takes the place of up
    to 100,000 steps of the gradient descent ("snake") of the paper, whose gradient this is.

    Args:
        signal: ``(T, K)``, one column for each signal.
        weight: :math:`\lambda > 0` or 0, of each signal ``(K,)`` or one for all.
        trust: :math:`w_t` from 0 to 1, ``(T,)``; 1 by default, as in the paper. A slice with 0 is filled in from the
            others: with a small weight, by a straight line.

    Returns:
        ``(T, K)``.

    Raises:
        ValueError: a weight is negative, no slice is trusted, or one that is not trusted cannot be filled in because
            the weight is 0.

    References:
        Painchaud et al., Echocardiography segmentation with enforced temporal consistency, IEEE Trans. Medical Imaging
        41(10), 2022 (doi:10.1109/TMI.2022.3173669).
    """
    values = np.asarray(signal, dtype=np.float64)
    count, columns = values.shape
    weights = np.broadcast_to(np.asarray(weight, dtype=np.float64), (columns,))
    data = np.ones(count) if trust is None else np.asarray(trust, dtype=np.float64)
    if (weights < 0).any():
        raise ValueError(f"weights must be at least 0, got {weights.min():g}.")
    if (data < 0).any() or not data.any() or ((weights == 0).any() and not data.all()):
        raise ValueError(
            f"trust must be at least 0 and not 0 everywhere, and slices with 0 need weights above 0 to be filled in; "
            f"got trust from {data.min():g} to {data.max():g} and weights from {weights.min():g}."
        )
    neighbours = np.full(count, 1.0)
    neighbours[[0, -1]] = 0.5 if count > 1 else 0.0
    smoothed = np.empty_like(values)
    for column in range(columns):
        bands = np.zeros((2, count))  # upper diagonal, diagonal
        bands[0, 1:] = -weights[column] / 2
        bands[1] = data + weights[column] * neighbours
        smoothed[:, column] = solveh_banded(bands[-count:], data * values[:, column])
    return smoothed
