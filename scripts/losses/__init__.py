# SPDX-License-Identifier: Apache-2.0
"""Losses: reconstruction terms and regularisers, which ``AutoencoderLoss`` combines into a weighted sum."""

from __future__ import annotations

from .autoencoder_loss import AutoencoderLoss
from .dssim import DSSIMLoss, ssim_map
from .latent_terms import (
    AttributeExchange,
    AttributeRegularisation,
    InfoNCE,
    KLDivergence,
    LinearConstraint,
    attribute_loss,
    kl_per_dimension,
)
from .reconstruction import ClassOverlap, SquaredError
from .regulariser import KernelL2, Regulariser
from .restoration import AnomalyLoss, RestorationLoss

__all__ = [
    "AnomalyLoss", "AttributeExchange", "AttributeRegularisation", "AutoencoderLoss", "ClassOverlap", "DSSIMLoss",
    "InfoNCE", "KLDivergence", "KernelL2", "LinearConstraint", "Regulariser", "RestorationLoss", "SquaredError",
    "attribute_loss", "kl_per_dimension", "ssim_map",
]  # fmt: skip
