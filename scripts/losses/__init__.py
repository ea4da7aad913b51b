# SPDX-License-Identifier: Apache-2.0
"""Losses: one reconstruction term and any number of weighted regularisers, put together by ``AutoencoderLoss``."""

from __future__ import annotations

from .attribute_regularisation import AttributeRegularisation, attribute_loss
from .autoencoder_loss import AutoencoderLoss
from .class_overlap import ClassOverlap
from .dssim import DSSIMLoss, ssim_map
from .info_nce import InfoNCE
from .kernel_l2 import KernelL2
from .kl_divergence import KLDivergence, kl_per_dimension
from .linear_constraint import LinearConstraint
from .regulariser import Regulariser
from .squared_error import SquaredError

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
