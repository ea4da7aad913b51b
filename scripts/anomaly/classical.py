# SPDX-License-Identifier: Apache-2.0
"""Detectors of one line, which every trained one has to beat."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .detector import Detector, Head, in_usual_units, masked_blur

__all__ = ["DifferenceOfGaussians", "EqualisedIntensity"]


class EqualisedIntensity(Detector):
    """Brightness, or darkness, as a rank among the voxels of the brain: histogram equalisation, and no more.

    Args:
        dark: whether dark voxels are the anomalous ones; by default it is bright ones, as lesions are in FLAIR.

    References:
        Meissen et al., Challenging current semi-supervised anomaly segmentation methods for brain MRI, 2021
        (arXiv:2109.06023).
    """

    def __init__(self, dark: bool = False) -> None:
        self.dark = dark

    def __call__(self, head: Head) -> Tensor:
        """Ranks in [0, 1]."""
        values = head.image[head.brain].numpy()
        rank = np.searchsorted(np.sort(values), values, side="right") / max(1, len(values))
        scores = torch.zeros_like(head.image)
        scores[head.brain] = torch.from_numpy(1 - rank if self.dark else rank).float()
        return scores


class DifferenceOfGaussians(Detector):
    """How much a place differs from its surroundings, in units of what is usual in this brain.

    Two Gaussian blurs within the brain are subtracted.

    Args:
        fine: standard deviation of the narrow blur in voxels.
        coarse: that of the wide one.
        sign: 0 for any difference, 1 for what is brighter than its surroundings, -1 for what is darker.
    """

    def __init__(self, fine: float = 1.5, coarse: float = 6.0, sign: int = 0) -> None:
        if not 0 < fine < coarse:
            raise ValueError(f"fine must be positive and less than coarse, got {fine} and {coarse}.")
        self.fine, self.coarse, self.sign = fine, coarse, sign

    def __call__(self, head: Head) -> Tensor:
        """Differences; the median of their absolute value is 1."""
        fine, coarse = (masked_blur(head.image, head.brain, sigma) for sigma in (self.fine, self.coarse))
        difference = fine - coarse
        size = in_usual_units(difference.abs(), head.brain)
        return size * (self.sign * difference).sign() if self.sign else size
