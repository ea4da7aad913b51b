# SPDX-License-Identifier: Apache-2.0
"""Quality of a restored image: error, structural similarity and fine structure, of the whole or inside a mask."""

from ..anatomy.head_mask import head_mask
from .restoration import METRIC_NAMES, RestorationMetrics, laplacian_of_gaussian, peak_signal_to_noise_ratio

__all__ = ["METRIC_NAMES", "RestorationMetrics", "head_mask", "laplacian_of_gaussian", "peak_signal_to_noise_ratio"]
