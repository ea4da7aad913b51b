# SPDX-License-Identifier: Apache-2.0
"""All metrics of a restored volume, in all regions."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from ..losses.dssim import WINDOW_SIZE, ssim_map
from .hfen import laplacian_of_gaussian

__all__ = ["METRIC_NAMES", "RestorationMetrics", "peak_signal_to_noise_ratio"]

METRIC_NAMES = ("mse", "psnr", "dssim", "ssim", "hfen")
"""Names of the metrics, in the order of the tables. Better is higher for ``psnr`` and ``ssim``, else lower."""


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


class RestorationMetrics:
    """Compare restored slices of one volume with the clean ones, whole and inside masks.

    All pixels of a region count alike, in all slices together: the error is the VOLUME's, not the mean of the slices'
    errors. What depends on the target alone is computed once, for many predictions.

    Args:
        target: clean slices, shape ``(N, 1, H, W)``, network space (1 = the volume's 99.5th percentile).
        regions: masks by name, boolean, the shape of ``target``. The region ``whole`` is always there.

    Raises:
        ValueError: a mask has not the shape of ``target``.
    """

    def __init__(self, target: Tensor, regions: Mapping[str, Tensor] | None = None) -> None:
        masks = {"whole": torch.ones_like(target, dtype=torch.bool), **(regions or {})}
        for name, mask in masks.items():
            if mask.shape != target.shape:
                raise ValueError(
                    f"region {name!r} must have the shape of target, {tuple(target.shape)}, got {tuple(mask.shape)}."
                )
        self.target = target
        stacked = torch.stack([mask.to(target.device) for mask in masks.values()])  # (regions, N, 1, H, W)
        self.names = list(masks)
        self.weights = self._weights(stacked)
        self.inner_weights = self._weights(F.pad(stacked, (-(WINDOW_SIZE // 2),) * 4))
        self.fine_power = self._averages(laplacian_of_gaussian(target).square(), self.weights)

    def __call__(self, prediction: Tensor) -> dict[str, dict[str, float]]:
        """Score one prediction.

        Args:
            prediction: the shape of the target.

        Returns:
            For each region a value for each of :data:`METRIC_NAMES`: ``mse``, ``psnr`` of that error (dB, data range
            1), ``ssim`` (mean of the SSIM map in the region, less the 5 pixels at the image's border), ``dssim`` =
            (1 - ssim) / 2 and ``hfen`` (see :func:`~scripts.metrics.hfen.laplacian_of_gaussian`). NaN where a region is
            empty.

        Raises:
            ValueError: the prediction has not the shape of the target.
        """
        if prediction.shape != self.target.shape:
            raise ValueError(
                f"prediction must have the shape of target, {tuple(self.target.shape)}, got {tuple(prediction.shape)}."
            )
        error = prediction - self.target
        errors = self._averages(error.square(), self.weights)
        similarities = self._averages(ssim_map(prediction, self.target), self.inner_weights)
        # the filter is linear: one pass over the error instead of one over the prediction
        fine_errors = self._averages(laplacian_of_gaussian(error).square(), self.weights)
        fine = (fine_errors / self.fine_power).sqrt()
        return {
            name: {
                "mse": mse,
                "psnr": peak_signal_to_noise_ratio(mse),
                "dssim": (1 - ssim) / 2,
                "ssim": ssim,
                "hfen": hfen,
            }
            for name, mse, ssim, hfen in zip(
                self.names, errors.tolist(), similarities.tolist(), fine.tolist(), strict=True
            )
        }

    @staticmethod
    def _weights(masks: Tensor) -> Tensor:
        """Weights that average over each mask, double precision, shape ``(regions, pixels)``; NaN for an empty mask."""
        flat = masks.flatten(1).double()
        return flat / flat.sum(dim=1, keepdim=True)

    @staticmethod
    def _averages(values: Tensor, weights: Tensor) -> Tensor:
        return weights @ values.double().flatten()
