# SPDX-License-Identifier: Apache-2.0
"""A small U-Net for masks."""

from __future__ import annotations

from typing import Any

import torch
from monai.networks.nets import BasicUNet
from torch import Tensor

__all__ = ["SegmentationUNet"]


class SegmentationUNet(BasicUNet):
    """MONAI's ``BasicUNet`` that ends in probabilities.

    Args:
        out_channels: number of classes.
        **kwargs: see ``monai.networks.nets.BasicUNet``; ``dropout`` is what Monte-Carlo dropout draws from.

    Example:
        >>> SegmentationUNet(4, spatial_dims=2, features=(4,) * 6)(torch.rand(1, 1, 32, 32)).sum(1).mean().round()
        tensor(1., grad_fn=<RoundBackward0>)
    """

    def __init__(self, out_channels: int, **kwargs: Any) -> None:
        super().__init__(out_channels=out_channels, **kwargs)

    def forward(self, x: Tensor) -> Tensor:
        """Probabilities ``(B, classes, *spatial)`` of images ``(B, in_channels, *spatial)``, sizes divisible by 16."""
        return torch.softmax(super().forward(x), dim=1)
