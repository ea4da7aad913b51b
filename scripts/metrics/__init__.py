# SPDX-License-Identifier: Apache-2.0
"""Quality of restored images (error, structural similarity, fine structure), and the agreement of masks."""

from .dice import dice, dice_of_subjects, mean_dice
from .restoration import METRIC_NAMES, RestorationMetrics, laplacian_of_gaussian, peak_signal_to_noise_ratio

__all__ = [
    "METRIC_NAMES", "RestorationMetrics", "dice", "dice_of_subjects", "laplacian_of_gaussian", "mean_dice",
    "peak_signal_to_noise_ratio",
]  # fmt: skip
