# SPDX-License-Identifier: Apache-2.0
"""Estimates of the missing slices of a volume: of their attributes, of their shapes, and of their latent codes.

Attributes follow cubic splines (:func:`fill_slices`), shapes the signed distances to their borders
(:func:`interpolate_shapes`), codes the smoothest signal through the trusted slices (:func:`smooth_signal`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from scipy.interpolate import CubicSpline
from scipy.linalg import solveh_banded
from scipy.special import softmax

from ..classes import Tissue

__all__ = ["fill_slices", "interpolate_shapes", "smooth_signal"]


def fill_slices(profile: NDArray[np.float64], missing: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Fill in missing slices by cubic splines through the others.

    Args:
        profile: attributes along the slices of a volume, ``(T, L)``; NaN where undefined.
        missing: whether each slice is missing, ``(T,)``.

    Returns:
        The filled profile ``(T, L)``; an attribute that is defined in fewer than two of the others is unchanged.
    """
    filled, positions = profile.copy(), np.arange(len(profile))
    for column in range(profile.shape[1] if missing.any() else 0):
        known = ~missing & np.isfinite(profile[:, column])
        if known.sum() > 1:
            filled[missing, column] = CubicSpline(positions[known], profile[known, column])(positions[missing])
    return filled


def interpolate_shapes(classes: NDArray[np.uint8], missing: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Probabilities of the classes in missing slices, by shape-based interpolation.

    The signed distance to the border of each class is interpolated linearly between the nearest slices below and above
    that are not missing; the probabilities are the softmax of the negative distances in pixels. Beyond the last known
    slice its shape is repeated.

    Args:
        classes: tissue masks, values of :class:`scripts.tissue.Tissue`, ``(T, H, W)``.
        missing: whether each slice is missing, ``(T,)``; not all may be.

    Returns:
        Probabilities ``(n, 4, H, W)``, in the order of the missing slices.

    References:
        Raya and Udupa, Shape-based interpolation of multidimensional objects, IEEE Trans. Medical Imaging 9(1), 1990
        (doi:10.1109/42.52980), for one class.
    """
    known = np.flatnonzero(~missing)
    result = []
    for row in np.flatnonzero(missing):
        below, above = known[known < row].max(initial=-1), known[known > row].min(initial=len(classes))
        if below < 0 or above == len(classes):
            distance = _signed_distances(classes[above if below < 0 else below])
        else:
            share = (row - below) / (above - below)
            distance = (1 - share) * _signed_distances(classes[below]) + share * _signed_distances(classes[above])
        result.append(softmax(-distance, axis=0))
    return np.stack(result) if result else np.zeros((0, len(Tissue), *classes.shape[1:]))


def _signed_distances(mask: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Distances to the border of each class in pixels, negative inside, ``(4, H, W)``; the size of a slice without."""
    distances = []
    for tissue in Tissue:
        inside = mask == tissue
        if inside.all() or not inside.any():
            distances.append(np.full(mask.shape, -1.0 if inside.all() else 1.0) * max(mask.shape))
        else:
            distances.append(ndimage.distance_transform_edt(~inside) - ndimage.distance_transform_edt(inside))
    return np.stack(distances)


def smooth_signal(signal: ArrayLike, weight: ArrayLike, trust: ArrayLike | None = None) -> NDArray[np.float64]:
    r"""Smooth signals, each with a weight of its own.

    Finds the minimum of

    .. math:: \frac{1}{2} \sum_t w_t (s_t - s^0_t)^2 + \frac{\lambda}{4} \sum_t (s_t - s_{t+1})^2

    by solving :math:`(W + \lambda L) s = W s^0`, where :math:`L` is half the Laplacian of a chain: the signal minus the
    mean of its two neighbours, the ends repeated outwards. Solving one tridiagonal system replaces up to 100,000 steps
    of gradient descent on the same objective in the paper (a "snake").

    Args:
        signal: signals ``(T, K)``, one per column.
        weight: smoothness :math:`\lambda \ge 0` of each signal, ``(K,)``, or of all.
        trust: weight :math:`w_t` of each slice, 0 to 1, ``(T,)``; 1 by default, as in the paper. A slice with 0 is
            filled in from the others, with a small :math:`\lambda` by a straight line.

    Returns:
        The smoothed signals ``(T, K)``.

    Raises:
        ValueError: a weight is negative, no slice is trusted, or an untrusted one cannot be filled in because the
            weight is 0.

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
            f"trust must be at least 0 and not 0 everywhere, and slices with 0 need a weight above 0 to be filled in; "
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
