# SPDX-License-Identifier: Apache-2.0
"""What a restored image is worth: error, structural similarity and fine structure, whole or inside a mask."""

from .error import masked_mean_squared_error, peak_signal_to_noise_ratio
from .head_mask import head_mask
from .hfen import high_frequency_error_norm, laplacian_of_gaussian
from .restoration import METRIC_NAMES, restoration_metrics
from .ssim_map import masked_ssim, ssim_map

__all__ = [
    "METRIC_NAMES",
    "head_mask",
    "high_frequency_error_norm",
    "laplacian_of_gaussian",
    "masked_mean_squared_error",
    "masked_ssim",
    "peak_signal_to_noise_ratio",
    "restoration_metrics",
    "ssim_map",
]
