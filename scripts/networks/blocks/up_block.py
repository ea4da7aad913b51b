# SPDX-License-Identifier: Apache-2.0
"""Decoder step that doubles the size."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from .batch_norm import batch_norm
from .same_transposed_convolution import SameTransposedConvolution

__all__ = ["UpBlock"]


class UpBlock(nn.Module):
    """Transposed convolution of stride 2 - BN - ReLU.

    Args:
        spatial_dims: number of spatial axes, 2 or 3.
        in_channels: channels of the input.
        out_channels: channels of the output.
    """

    def __init__(self, spatial_dims: int, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = SameTransposedConvolution(spatial_dims, in_channels, out_channels)
        self.norm = batch_norm(spatial_dims, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, in_channels, *spatial)`` to ``(B, out_channels, *2 spatial)``."""
        return F.relu(self.norm(self.conv(x)))
