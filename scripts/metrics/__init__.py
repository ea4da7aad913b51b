# SPDX-License-Identifier: Apache-2.0
"""What a restored image is worth: error, structural similarity and fine structure, whole or inside a mask."""

from ..anatomy.head_mask import head_mask
from .hfen import laplacian_of_gaussian
from .restoration import METRIC_NAMES, RestorationMetrics, peak_signal_to_noise_ratio

__all__ = ["METRIC_NAMES", "RestorationMetrics", "head_mask", "laplacian_of_gaussian", "peak_signal_to_noise_ratio"]
