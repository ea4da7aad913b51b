# SPDX-License-Identifier: Apache-2.0
"""How well maps of uncertainty foresee the errors of a segmentation. The unit is the subject, not the slice."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from monai.metrics import CalibrationErrorMetric
from numpy.typing import NDArray
from scipy.stats import spearmanr
from torch import Tensor

from ...evaluation.statistics import bootstrap_of_rows
from ...metrics import dice
from ...tissue.datasets import one_hot

__all__ = [
    "BINS", "THRESHOLDS", "best_threshold", "calibration_errors", "correlation", "correlation_interval",
    "error_overlaps", "slice_dice", "slice_uncertainty",
]  # fmt: skip

BINS = 20
THRESHOLDS = tuple(round(0.025 * step, 3) for step in range(1, 40))
RESAMPLES = 500
Array = NDArray[np.float64]


def slice_dice(predicted: Tensor, label: Tensor) -> Array:
    """Dice coefficient of each slice ``(N, H, W)``, over the pixels of all classes but the background: ``(N,)``.

    A mean over classes would be that of a few pixels where a ventricle begins.
    """
    a, b = (one_hot(mask)[:, 1:].bool().numpy() for mask in (predicted, label))
    return np.nan_to_num(dice(a, b, (1, 2, 3)), nan=1.0)


def slice_uncertainty(maps: Tensor, predicted: Tensor) -> Array:
    """Sum of each map over the predicted brain's number of pixels (at least one): ``(N,)``."""
    area = (predicted > 0).sum((1, 2)).clamp(min=1)
    return (maps.double().sum((1, 2)) / area).numpy()


def correlation(x: Array, y: Array, measure: Callable = spearmanr) -> float:
    """Rank correlation, or another measure such as ``pearsonr``; NaN where one of them is constant."""
    return float(measure(x, y)[0]) if len(x) > 1 and np.ptp(x) > 0 and np.ptp(y) > 0 else float("nan")


def correlation_interval(x: Array, y: Array, subjects: NDArray[np.str_], seed: int = 0) -> tuple[float, float]:
    """95 % bootstrap interval of the rank correlation over slices, resampling whole subjects; NaN for one subject."""
    rng = np.random.default_rng(seed)
    low, high = bootstrap_of_rows(lambda rows: correlation(x[rows], y[rows]), subjects, RESAMPLES, rng)
    return float(low), float(high)


def calibration_errors(maps: Tensor, predicted: Tensor, label: Tensor, subjects: NDArray[np.str_]) -> Array:
    """Expected calibration error of each subject: of 1 - U as the probability that a pixel's class is right.

    MONAI's ``CalibrationErrorMetric`` with 20 bins, over the pixels that prediction or label call brain; the
    background, of which everyone is sure, would hide the rest.

    Args:
        maps: U, ``(N, H, W)`` in [0, 1].
        predicted: classes, same shape.
        label: classes, same shape.
        subjects: subject of each slice, ``(N,)``.

    Returns:
        One value for each subject, in the order of their names.

    References:
        Guo et al., On calibration of modern neural networks, ICML 2017 (arXiv:1706.04599).
    """
    metric = CalibrationErrorMetric(num_bins=BINS, metric_reduction="none")
    for rows in _rows(subjects):
        brain = (predicted[rows] > 0) | (label[rows] > 0)
        confidence = (1 - maps[rows])[brain]
        metric(confidence[None, None], (predicted[rows] == label[rows])[brain][None, None].float())
    return torch.as_tensor(metric.aggregate()).flatten().double().numpy()


def error_overlaps(maps: Tensor, error: Tensor, subjects: NDArray[np.str_], threshold: float) -> Array:
    """Dice coefficient of ``maps > threshold`` with the error, of each subject, over all its slices.

    Differs from the paper: there, the mean over slices of the slice's coefficient, weighted by the size of its error.

    Args:
        maps: ``(N, H, W)``.
        error: same shape, bool.
        subjects: subject of each slice, ``(N,)``.
        threshold: value above which a pixel is uncertain.

    Returns:
        One value for each subject, in the order of their names; 1 where there is neither error nor uncertainty.
    """
    overlaps = [dice((maps[rows] > threshold).numpy(), error[rows].numpy()) for rows in _rows(subjects)]
    return np.nan_to_num(overlaps, nan=1.0)


def best_threshold(maps: Tensor, error: Tensor, subjects: NDArray[np.str_]) -> float:
    """The one of 0.025, 0.05, ..., 0.975 with the largest mean overlap over the subjects."""
    means = [error_overlaps(maps, error, subjects, threshold).mean() for threshold in THRESHOLDS]
    return THRESHOLDS[int(np.argmax(means))]


def _rows(subjects: NDArray[np.str_]) -> list[Tensor]:
    return [torch.from_numpy(np.flatnonzero(subjects == subject)) for subject in np.unique(subjects)]
