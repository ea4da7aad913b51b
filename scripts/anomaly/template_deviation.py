# SPDX-License-Identifier: Apache-2.0
"""Deviation from the mean of healthy heads at the same place."""

from __future__ import annotations

import torch
from torch import Tensor

from .detector import Detector, Head, in_usual_units, masked_blur
from .healthy_template import shipped_template

__all__ = ["TemplateDeviation"]


class TemplateDeviation(Detector):
    """Difference from the mean of healthy heads at the same place, in their standard deviations there.

    The result is in units of what is usual in this head, which may fit the template more or less well.

    Args:
        blur: standard deviation in voxels of the blur of the head, which the template has by its coarse grid.
        least_sd: least standard deviation that counts, in units of the brain's median intensity.
    """

    def __init__(self, blur: float = 1.0, least_sd: float = 0.05) -> None:
        self.blur, self.least_sd = blur, least_sd

    def __call__(self, head: Head) -> Tensor:
        """Absolute deviations."""
        template = shipped_template()
        fit = template.fit(head)
        places = head.points(head.brain) @ fit[:, :3].T + fit[:, 3]
        values = masked_blur(head.image, head.brain, self.blur)[head.brain] / head.image[head.brain].median()
        scores = torch.zeros_like(head.image)
        scores[head.brain] = (values - template.mean(places)).abs() / template.sd(places).clamp(min=self.least_sd)
        return in_usual_units(scores, head.brain)
