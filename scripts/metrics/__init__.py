# SPDX-License-Identifier: Apache-2.0
"""Quality of a restored image (error, structural similarity, fine structure), and agreement of masks."""

from ..anatomy.head_mask import head_mask
from .dice import dice, dice_of_subjects, mean_dice
from .restoration import METRIC_NAMES, RestorationMetrics, laplacian_of_gaussian, peak_signal_to_noise_ratio

__all__ = [
    "METRIC_NAMES", "RestorationMetrics", "dice", "dice_of_subjects", "head_mask", "laplacian_of_gaussian",
    "mean_dice", "peak_signal_to_noise_ratio",
]  # fmt: skip
