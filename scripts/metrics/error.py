# SPDX-License-Identifier: Apache-2.0
"""Mean squared error inside a mask, and the peak signal-to-noise ratio that belongs to it."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["masked_mean_squared_error", "peak_signal_to_noise_ratio"]


def masked_mean_squared_error(prediction: Tensor, target: Tensor, mask: Tensor | None = None) -> float:
    """Mean of the squared difference over the pixels of a mask, in squared units of intensity.

    All pixels of all slices count alike: the result for the slices of one volume is the VOLUME's error, not the mean of
    the slices' errors.

    Args:
        prediction: any shape, here ``(N, 1, H, W)``.
        target: the shape of ``prediction``.
        mask: boolean, the shape of ``prediction``; ``None`` takes every pixel.

    Returns:
        A float >= 0, summed in double precision; NaN where the mask is empty.

    Raises:
        ValueError: the shapes differ.
    """
    if prediction.shape != target.shape or (mask is not None and mask.shape != target.shape):
        shapes = [tuple(x.shape) for x in (prediction, target, mask) if x is not None]
        raise ValueError(f"prediction, target and mask must have the same shape, got {shapes}.")
    error = (prediction - target).square()
    selected = error if mask is None else error[mask]
    return float(selected.mean(dtype=torch.float64))


def peak_signal_to_noise_ratio(mean_squared_error: float, data_range: float = 1.0) -> float:
    r"""Peak signal-to-noise ratio of a mean squared error, in decibels.

    .. math:: 10 \log_{10} \frac{R^2}{\mathrm{MSE}}

    Args:
        mean_squared_error: >= 0.
        data_range: the ``R`` of the formula. Here 1, the 99.5th percentile of the volume's intensities.

    Returns:
        Decibels; infinity for an error of zero, NaN for NaN.

    Example:
        >>> round(peak_signal_to_noise_ratio(0.001), 1)
        30.0
    """
    if mean_squared_error == 0:
        return math.inf
    return 10 * math.log10(data_range**2 / mean_squared_error)
