# SPDX-License-Identifier: Apache-2.0
"""What every detector of anomalies takes and gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

__all__ = ["Detector", "Head", "in_usual_units", "masked_blur"]

WORKING_MM = 2.0
"""Voxel size at which heads are looked at."""


@dataclass(frozen=True)
class Head:
    """A head as detectors see it: on a grid of 2 mm, its axes inferior, posterior, right.

    Attributes:
        image: intensities, air 0 and the 99.5th percentile 1, float32 of shape ``(H, W, D)``.
        brain: boolean mask of the brain, same shape.
        affine: voxel indices to millimetres, RAS, ``(4, 4)``.
    """

    image: Tensor
    brain: Tensor
    affine: NDArray[np.float64]

    def points(self, where: Tensor) -> Tensor:
        """Places in mm, ``(N, 3)``, of the voxels in a mask, in C order."""
        affine = torch.as_tensor(self.affine, dtype=torch.float32)
        return where.nonzero().float() @ affine[:3, :3].T + affine[:3, 3]


class Detector(ABC):
    """Gives each voxel of a brain a score, the higher the more anomalous.

    A score has any unit: what it means is learned from healthy heads, see
    :class:`~scripts.anomaly.calibration.Calibration`.
    """

    @abstractmethod
    def __call__(self, head: Head) -> Tensor:
        """Score a head.

        Args:
            head: head with its brain mask.

        Returns:
            Scores, float32 of the shape of the image; those outside of the brain do not count.
        """


def masked_blur(values: Tensor, mask: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of the values in a mask by one another alone.

    Args:
        values: shape ``(H, W, D)``.
        mask: boolean, same shape.
        sigma: standard deviation in voxels.

    Returns:
        Blurred values, 0 far from the mask.
    """
    inside = mask.numpy().astype(np.float32)
    weight = ndimage.gaussian_filter(inside, sigma)
    blurred = ndimage.gaussian_filter(values.numpy() * inside, sigma)
    return torch.from_numpy(blurred / np.maximum(weight, 1e-3))


def in_usual_units(scores: Tensor, brain: Tensor) -> Tensor:
    """Scores in units of their median in the brain, as contrast and noise differ from head to head."""
    return scores / scores[brain].median().clamp(min=1e-6)
