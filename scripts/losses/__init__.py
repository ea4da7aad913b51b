# SPDX-License-Identifier: Apache-2.0
"""Losses: reconstruction terms and regularisers, which ``AutoencoderLoss`` combines into a weighted sum."""

from __future__ import annotations

from .attribute_regularisation import AttributeRegularisation, attribute_loss
from .autoencoder_loss import AutoencoderLoss
from .dssim import DSSIMLoss, ssim_map
from .info_nce import InfoNCE
from .kernel_l2 import KernelL2
from .kl_divergence import KLDivergence, kl_per_dimension
from .linear_constraint import LinearConstraint
from .reconstruction import ClassOverlap, SquaredError
from .regulariser import Regulariser

__all__ = [
    "AttributeRegularisation",
    "AutoencoderLoss",
    "ClassOverlap",
    "DSSIMLoss",
    "InfoNCE",
    "KLDivergence",
    "KernelL2",
    "LinearConstraint",
    "Regulariser",
    "SquaredError",
    "attribute_loss",
    "kl_per_dimension",
    "ssim_map",
]
