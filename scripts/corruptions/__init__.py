# SPDX-License-Identifier: Apache-2.0
"""Corruptions for training and evaluation: applied to whole batches, reproducible voxel by voxel.

A step has a pure function (image and parameters in, damaged image out) and a ``Rand...`` class that draws the
parameters of each image from :class:`~scripts.corruptions.draws.Draws`;
:class:`~scripts.corruptions.corruption.Corruption` chains steps. To add one: a new file here, exported below, and a
line in a fragment of ``configs/corruption``.
"""

from __future__ import annotations

from .bias_field import RandBiasField, bias_field
from .corruption import Corruption
from .draws import Draws
from .gaussian_blur import RandGaussianBlur, gaussian_blur
from .holes import RandDiagonalCutout, RandHoles, erase_boxes
from .min_max import RescaleMinMax, rescale_min_max
from .noise import RandGaussianNoise, RandPixelDropout, RandRicianNoise, gaussian_noise, pixel_dropout, rician_noise

__all__ = [
    "Corruption", "Draws", "RandBiasField", "RandDiagonalCutout", "RandGaussianBlur", "RandGaussianNoise", "RandHoles",
    "RandPixelDropout", "RandRicianNoise", "RescaleMinMax", "bias_field", "erase_boxes", "gaussian_blur",
    "gaussian_noise", "pixel_dropout", "rescale_min_max", "rician_noise",
]  # fmt: skip
