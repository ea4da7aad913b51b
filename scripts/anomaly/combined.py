# SPDX-License-Identifier: Apache-2.0
"""Several detectors as one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .calibration import Calibration
from .detector import Detector, Head

__all__ = ["CombinedDetectors"]


class CombinedDetectors(Detector):
    """Sum of what several detectors find, each as minus log10 p by a calibration of its own.

    The sum is no p-value, since detectors of one image agree: it is a score, and calibrated as such.

    Args:
        detectors: the detectors.
        calibrations: files of their calibrations, or these themselves.

    Raises:
        ValueError: there are not as many calibrations as detectors.

    References:
        Fisher, Statistical methods for research workers, 1925, section 21.1 (the sum of logarithms of p-values).
    """

    def __init__(self, detectors: Sequence[Detector], calibrations: Sequence[str | Calibration]) -> None:
        if not detectors or len(detectors) != len(calibrations):
            raise ValueError(f"each of {len(detectors)} detectors needs a calibration, got {len(calibrations)}.")
        self.detectors = list(detectors)
        self.calibrations = [one if isinstance(one, Calibration) else Calibration.load(one) for one in calibrations]

    def __call__(self, head: Head) -> Tensor:
        """Sums."""
        found = [
            calibration(detector(head), head.brain)
            for detector, calibration in zip(self.detectors, self.calibrations, strict=True)
        ]
        return torch.stack(found).sum(dim=0)
