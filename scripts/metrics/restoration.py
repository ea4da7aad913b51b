# SPDX-License-Identifier: Apache-2.0
"""Metrics of a restored volume: error, structural similarity and fine structure, in all regions."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from ..losses.dssim import WINDOW_SIZE, gaussian_kernel, separable_filter, ssim_map

__all__ = ["METRIC_NAMES", "RestorationMetrics", "laplacian_of_gaussian", "peak_signal_to_noise_ratio"]

METRIC_NAMES = ("mse", "psnr", "dssim", "ssim", "hfen")
"""Names of the metrics, in the order of the tables. Better is higher for ``psnr`` and ``ssim``, else lower."""
HFEN_SIGMA = 1.5
"""Standard deviation of the Gaussian in pixels (Ravishankar and Bresler 2011)."""

HFEN_RADIUS = 7
"""Radius of the kernel in pixels: 15 x 15 as in the paper."""


def peak_signal_to_noise_ratio(mean_squared_error: float, data_range: float = 1.0) -> float:
    r"""Peak signal-to-noise ratio of a mean squared error, in decibels.

    .. math:: 10 \log_{10} \frac{R^2}{\mathrm{MSE}}

    Args:
        mean_squared_error: mean squared error, >= 0.
        data_range: ``R`` of the formula. Here 1, the 99.5th percentile of the volume's intensities.

    Returns:
        Decibels; infinity for an error of zero, NaN for NaN.

    Example:
        >>> round(peak_signal_to_noise_ratio(0.001), 1)
        30.0
    """
    if mean_squared_error == 0:
        return math.inf
    return 10 * math.log10(data_range**2 / mean_squared_error)


def laplacian_of_gaussian(images: Tensor, sigma: float = HFEN_SIGMA, radius: int = HFEN_RADIUS) -> Tensor:
    r"""Filter 2-D images with the Laplacian of a Gaussian.

    The high-frequency error norm (HFEN) of a restored image is

    .. math:: \frac{\lVert \mathrm{LoG}(\hat x) - \mathrm{LoG}(x) \rVert_2}{\lVert \mathrm{LoG}(x) \rVert_2}

    with both norms over the pixels of a region, in all slices together: 0 for a perfect image, 1 for one without any
    fine structure. ``Differs from the paper:`` divided by the target's norm, so that volumes of different size and
    contrast can be compared. PSNR is hardly sensitive to what it measures.

    Equal to ``scipy.ndimage.gaussian_laplace(image, sigma, mode="nearest", radius=radius)`` of each slice.

    Args:
        images: shape ``(N, 1, H, W)``.
        sigma: standard deviation of the Gaussian in pixels, > 0.
        radius: half the kernel's side in pixels; the border pixels are repeated outwards.

    Returns:
        The shape of ``images``; intensity per squared pixel.

    References:
        Ravishankar and Bresler, MR image reconstruction from highly undersampled k-space data by dictionary learning,
        IEEE Trans. Medical Imaging 30(5), 2011 (doi:10.1109/TMI.2010.2090538).
    """
    gaussian = gaussian_kernel(sigma, radius)
    x = torch.arange(-radius, radius + 1, dtype=torch.float64)
    second_derivative = gaussian * (x**2 / sigma**4 - 1 / sigma**2)
    padded = F.pad(images, (radius,) * 4, mode="replicate")
    return separable_filter(padded, second_derivative, gaussian) + separable_filter(padded, gaussian, second_derivative)


class RestorationMetrics:
    """Compare restored slices of one volume with the clean ones, whole and inside masks.

    All pixels of a region count alike, in all slices together: the error is the VOLUME's, not the mean of the slices'
    errors. What depends on the target alone is computed once, for many predictions.

    Args:
        target: clean slices, shape ``(N, 1, H, W)``, network space (1 = the volume's 99.5th percentile).
        regions: boolean masks by name, shape of ``target``. The region ``whole`` is always added.

    Raises:
        ValueError: a mask does not have the shape of ``target``.
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
            prediction: restored slices, shape of the target.

        Returns:
            For each region a value for each of :data:`METRIC_NAMES`: ``mse``, ``psnr`` of that error (dB, data range
            1), ``ssim`` (mean of the SSIM map in the region, less the 5 pixels at the image's border), ``dssim`` =
            (1 - ssim) / 2 and ``hfen`` (see :func:`laplacian_of_gaussian`). NaN where a region is
            empty.

        Raises:
            ValueError: the prediction does not have the shape of the target.
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
