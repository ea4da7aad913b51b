# SPDX-License-Identifier: Apache-2.0
"""Networks: one architecture a file, and the blocks they share."""

from __future__ import annotations

from .residual_unet import ResidualUNet

__all__ = ["ResidualUNet"]
