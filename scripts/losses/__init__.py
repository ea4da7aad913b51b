# SPDX-License-Identifier: Apache-2.0
"""Losses: one reconstruction term and any number of weighted regularisers, put together by ``AutoencoderLoss``."""

from __future__ import annotations

from .autoencoder_loss import AutoencoderLoss
from .dssim import DSSIMLoss, ssim_map
from .kernel_l2 import KernelL2
from .regulariser import Regulariser

__all__ = ["AutoencoderLoss", "DSSIMLoss", "KernelL2", "Regulariser", "ssim_map"]
