# SPDX-License-Identifier: Apache-2.0
"""All metrics of a restored volume, in all regions."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from .error import masked_mean_squared_error, peak_signal_to_noise_ratio
from .hfen import high_frequency_error_norm
from .ssim_map import masked_ssim, ssim_map

__all__ = ["METRIC_NAMES", "restoration_metrics"]

METRIC_NAMES = ("mse", "psnr", "dssim", "ssim", "hfen")
"""Names of the metrics, in the order of the tables. Better is higher for ``psnr`` and ``ssim``, else lower."""


def restoration_metrics(
    prediction: Tensor, target: Tensor, regions: Mapping[str, Tensor | None]
) -> dict[str, dict[str, float]]:
    """Compare the slices of one restored volume with the clean ones.

    Args:
        prediction: shape ``(N, 1, H, W)``, network space (1 = the 99.5th percentile of the clean volume).
        target: the clean slices, the shape of ``prediction``.
        regions: masks by name, boolean, the shape of ``prediction``; ``None`` is the whole slices.

    Returns:
        For each region a value for each of :data:`METRIC_NAMES`: ``mse`` (mean over the region's pixels), ``psnr`` of
        that error (dB, data range 1), ``ssim`` (mean of the SSIM map in the region), ``dssim`` = (1 - ssim) / 2 and
        ``hfen``. NaN where a region is empty.
    """
    similarity = ssim_map(prediction, target)
    rows = {}
    for name, mask in regions.items():
        error = masked_mean_squared_error(prediction, target, mask)
        ssim = masked_ssim(similarity, mask)
        rows[name] = {
            "mse": error,
            "psnr": peak_signal_to_noise_ratio(error),
            "dssim": (1 - ssim) / 2,
            "ssim": ssim,
            "hfen": high_frequency_error_norm(prediction, target, mask),
        }
    return rows
