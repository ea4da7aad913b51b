# SPDX-License-Identifier: Apache-2.0
"""Networks whose output is probabilities of classes instead of the image, so they are no ``NETWORKS``."""

from __future__ import annotations

from .segmentation_unet import SegmentationUNet

__all__ = ["SegmentationUNet"]
