# SPDX-License-Identifier: Apache-2.0
"""Corruptions for training and evaluation: applied to whole batches, reproducible voxel by voxel.

A step has a pure function (image and parameters in, damaged image out) and a ``Rand...`` class that draws the
parameters of each image from :class:`~scripts.corruptions.draws.Draws`;
:class:`~scripts.corruptions.corruption.Corruption` chains steps. To add one: a new file here, exported below, and a
line in a fragment of ``configs/corruption``.
"""

from __future__ import annotations

from .anomalies import RandAnomalies
from .background import RandDeface, RandFieldOfView, RandSkullStrip
from .bias_field import RandBiasField, bias_field
from .corruption import Corruption, EachSlice, VolumeCorruption
from .draws import Draws
from .gaussian_blur import RandGaussianBlur, RandKSpaceBlur, gaussian_blur, kspace_blur
from .holes import RandDiagonalCutout, RandHoles, RandLesionHoles, erase_boxes
from .kspace import RandGhosting, RandGibbsRinging, RandSpikes, ghosting, gibbs_ringing, spikes
from .levels import KINDS, graded_pair, rms_of_level
from .min_max import RescaleMinMax, rescale_min_max
from .motion import RandMotion, motion
from .noise import RandGaussianNoise, RandPixelDropout, RandRicianNoise, gaussian_noise, pixel_dropout, rician_noise
from .slices import RandThickSlices, thick_slices
from .undersampling import RandUndersampling, undersampling

__all__ = [
    "KINDS", "Corruption", "Draws", "EachSlice", "RandAnomalies", "RandBiasField", "RandDeface", "RandDiagonalCutout",
    "RandFieldOfView", "RandGaussianBlur", "RandGaussianNoise", "RandGhosting", "RandGibbsRinging", "RandHoles",
    "RandKSpaceBlur", "RandLesionHoles", "RandMotion", "RandPixelDropout", "RandRicianNoise", "RandSkullStrip",
    "RandSpikes", "RandThickSlices", "RandUndersampling", "RescaleMinMax", "VolumeCorruption", "bias_field",
    "erase_boxes", "gaussian_blur", "gaussian_noise", "ghosting", "gibbs_ringing", "graded_pair", "kspace_blur",
    "motion", "pixel_dropout", "rescale_min_max", "rician_noise", "rms_of_level", "spikes", "thick_slices",
    "undersampling",
]  # fmt: skip
